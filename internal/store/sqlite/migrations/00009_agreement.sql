-- +goose Up

-- Edits that loosen and wait for a second supervisor: of a setting (key is empty) or of
-- a service (key is its id). Versions of a setting and of what waited for it share one
-- row of numbers, so that a number never means two things.
CREATE TABLE proposal (
  name   TEXT NOT NULL CHECK (name <> ''),
  n      INTEGER NOT NULL CHECK (n > 0),
  key    TEXT NOT NULL,
  base   INTEGER NOT NULL CHECK (base >= 0),  -- version in force that it starts from; 0 for services
  at_ms  INTEGER NOT NULL,
  actor  INTEGER REFERENCES user (id),        -- NULL = the command line
  before TEXT NOT NULL CHECK (json_valid(before)), -- in force then; null = there was none
  after  TEXT NOT NULL CHECK (json_valid(after)),
  alone  INTEGER NOT NULL CHECK (alone IN (0, 1)), -- its author was the one supervisor for all merchants
  PRIMARY KEY (name, n)
) STRICT, WITHOUT ROWID;

-- How one ended. Without a row here it waits.
CREATE TABLE proposal_end (
  name  TEXT NOT NULL,
  n     INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  actor INTEGER REFERENCES user (id), -- NULL = nobody: the time was over, or the command line
  how   TEXT NOT NULL CHECK (how IN ('agreed', 'declined', 'withdrawn', 'waited', 'overtaken')),
  PRIMARY KEY (name, n),
  FOREIGN KEY (name, n) REFERENCES proposal (name, n)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER proposal_insert BEFORE INSERT ON proposal
WHEN NEW.n <> 1 + max(COALESCE((SELECT max(n) FROM setting WHERE name = NEW.name), 0), COALESCE((SELECT max(n) FROM proposal WHERE name = NEW.name), 0))
  OR EXISTS (SELECT 1 FROM proposal p WHERE p.name = NEW.name AND p.key = NEW.key
    AND NOT EXISTS (SELECT 1 FROM proposal_end e WHERE e.name = p.name AND e.n = p.n))
BEGIN SELECT RAISE(ABORT, 'another edit waits, or was made meanwhile'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER proposal_update BEFORE UPDATE ON proposal
BEGIN SELECT RAISE(ABORT, 'edits are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER proposal_delete BEFORE DELETE ON proposal
BEGIN SELECT RAISE(ABORT, 'edits are not deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER proposal_end_insert BEFORE INSERT ON proposal_end
WHEN EXISTS (SELECT 1 FROM proposal_end WHERE name = NEW.name AND n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'the edit does not wait any more'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER proposal_end_update BEFORE UPDATE ON proposal_end
BEGIN SELECT RAISE(ABORT, 'what was decided about an edit is not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER proposal_end_delete BEFORE DELETE ON proposal_end
BEGIN SELECT RAISE(ABORT, 'what was decided about an edit is not deleted'); END;
-- +goose StatementEnd

-- Nobody agrees to what they edited themselves, and only an active supervisor for all
-- merchants agrees or declines, whatever the program says.
-- +goose StatementBegin
CREATE TRIGGER proposal_decided BEFORE INSERT ON proposal_end
WHEN NEW.how IN ('agreed', 'declined') AND (
  NEW.actor IS NULL
  OR NEW.actor IS (SELECT actor FROM proposal WHERE name = NEW.name AND n = NEW.n)
  OR NOT EXISTS (SELECT 1 FROM user WHERE id = NEW.actor AND role = 'supervisor' AND all_merchants AND NOT disabled))
BEGIN SELECT RAISE(ABORT, 'it takes a second supervisor for all merchants'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER proposal_withdrawn BEFORE INSERT ON proposal_end
WHEN NEW.how = 'withdrawn' AND NEW.actor IS NOT (SELECT actor FROM proposal WHERE name = NEW.name AND n = NEW.n)
BEGIN SELECT RAISE(ABORT, 'only its author withdraws an edit'); END;
-- +goose StatementEnd

-- Time alone is enough only after a day, and only for the one supervisor for all
-- merchants that there was then and is now.
-- +goose StatementBegin
CREATE TRIGGER proposal_waited BEFORE INSERT ON proposal_end
WHEN NEW.how = 'waited' AND NOT EXISTS (
  SELECT 1 FROM proposal p JOIN user u ON u.id = p.actor
  WHERE p.name = NEW.name AND p.n = NEW.n AND p.alone AND NEW.at_ms >= p.at_ms + 86400000
    AND u.role = 'supervisor' AND u.all_merchants AND NOT u.disabled
    AND NOT EXISTS (SELECT 1 FROM user o WHERE o.id <> u.id AND o.role = 'supervisor' AND o.all_merchants AND NOT o.disabled))
BEGIN SELECT RAISE(ABORT, 'it takes a second supervisor for all merchants'); END;
-- +goose StatementEnd

-- A version is the next number, or the one of an edit that just came into force.
DROP TRIGGER setting_insert;
-- +goose StatementBegin
CREATE TRIGGER setting_insert BEFORE INSERT ON setting
WHEN NEW.n <= COALESCE((SELECT max(n) FROM setting WHERE name = NEW.name), 0)
  OR CASE WHEN EXISTS (SELECT 1 FROM proposal WHERE name = NEW.name AND n = NEW.n)
    THEN NOT EXISTS (
      SELECT 1 FROM proposal p JOIN proposal_end e ON e.name = p.name AND e.n = p.n
      WHERE p.name = NEW.name AND p.n = NEW.n AND p.key = '' AND e.how IN ('agreed', 'waited') AND p.after = NEW.value AND p.actor IS NEW.actor
        AND p.base = COALESCE((SELECT max(n) FROM setting WHERE name = NEW.name), 0))
    ELSE NEW.n <> 1 + max(COALESCE((SELECT max(n) FROM setting WHERE name = NEW.name), 0), COALESCE((SELECT max(n) FROM proposal WHERE name = NEW.name), 0))
    END
BEGIN SELECT RAISE(ABORT, 'the setting was edited meanwhile'); END;
-- +goose StatementEnd

-- What waited for a setting is overtaken by a version that was made meanwhile.
-- +goose StatementBegin
CREATE TRIGGER setting_overtakes AFTER INSERT ON setting
BEGIN
  INSERT INTO proposal_end (name, n, at_ms, actor, how)
    SELECT p.name, p.n, NEW.at_ms, NEW.actor, 'overtaken' FROM proposal p
    WHERE p.name = NEW.name AND NOT EXISTS (SELECT 1 FROM proposal_end e WHERE e.name = p.name AND e.n = p.n);
END;
-- +goose StatementEnd
