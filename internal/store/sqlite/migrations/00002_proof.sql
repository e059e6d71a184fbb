-- +goose Up

-- What an event says of the looking after, beside its text: the lists need it.
ALTER TABLE event ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN settled TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN due INTEGER NOT NULL DEFAULT 0 CHECK (due IN (-1, 0, 1)); -- 1: to be seen to, -1: seen to

ALTER TABLE correction_now ADD COLUMN settled TEXT NOT NULL DEFAULT '';
ALTER TABLE correction_now ADD COLUMN due INTEGER NOT NULL DEFAULT 0 CHECK (due IN (0, 1));

ALTER TABLE event ADD COLUMN leaf INTEGER NOT NULL DEFAULT -1; -- its place in the proof

CREATE INDEX correction_now_watched ON correction_now (correction_id)
  WHERE settled = '' AND state IN ('claimed', 'sending', 'unknown', 'applied', 'applied_late', 'rejected', 'not_sent', 'not_applied');
CREATE INDEX correction_now_due ON correction_now (correction_id) WHERE due = 1;

INSERT INTO transition (from_state, to_state) VALUES
  ('applied', 'applied'), ('applied_late', 'applied_late'),
  ('rejected', 'rejected'), ('rejected', 'applied_late'),
  ('not_sent', 'not_sent'), ('not_sent', 'applied_late'),
  ('not_applied', 'not_applied'), ('not_applied', 'applied_late'),
  ('conflict', 'conflict'), ('conflict', 'resolved');

-- A correction that is looked after keeps the time at which it came to its state.
DROP TRIGGER event_first;
DROP TRIGGER event_next;
-- +goose StatementBegin
CREATE TRIGGER event_first AFTER INSERT ON event WHEN NEW.n = 1
BEGIN
  INSERT INTO correction_now (correction_id, state, n, at_ms, request_id)
  VALUES (NEW.correction_id, NEW.state, NEW.n, NEW.at_ms, NEW.request_id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_next AFTER INSERT ON event WHEN NEW.n > 1
BEGIN
  UPDATE correction_now SET
    at_ms = CASE WHEN state = NEW.state THEN at_ms ELSE NEW.at_ms END,
    state = NEW.state, n = NEW.n,
    request_id = CASE WHEN NEW.request_id = '' THEN request_id ELSE NEW.request_id END,
    settled = CASE WHEN NEW.settled = '' AND state = NEW.state THEN settled ELSE NEW.settled END,
    due = CASE NEW.due WHEN 0 THEN due ELSE NEW.due > 0 END
  WHERE correction_id = NEW.correction_id;
  DELETE FROM claim
  WHERE correction_id = NEW.correction_id AND NEW.state NOT IN ('claimed', 'sending', 'unknown');
END;
-- +goose StatementEnd
-- Two people settle a conflict, and neither of them its author.
-- +goose StatementBegin
CREATE TRIGGER event_resolved BEFORE INSERT ON event
WHEN NEW.state = 'resolved' AND (
  NEW.actor IS NULL
  OR NEW.actor IS (SELECT author FROM correction WHERE id = NEW.correction_id)
  OR COALESCE((SELECT actor FROM event WHERE correction_id = NEW.correction_id AND n = NEW.n - 1), NEW.actor) = NEW.actor)
BEGIN
  SELECT RAISE(ABORT, 'a conflict needs a second person');
END;
-- +goose StatementEnd

-- The proof (trust.md §4.4).

-- What free text is hashed with, so that the text can be erased and the proof holds.
CREATE TABLE salt (
  correction_id INTEGER PRIMARY KEY REFERENCES correction (id),
  salt          BLOB NOT NULL CHECK (length(salt) = 32)
) STRICT;

-- One row an event, in the order in which they came to the record: a leaf of the
-- Merkle tree, with the hashes that it completes.
CREATE TABLE leaf (
  i             INTEGER PRIMARY KEY CHECK (i >= 0),
  correction_id INTEGER NOT NULL,
  n             INTEGER NOT NULL,
  hashes        BLOB NOT NULL CHECK (length(hashes) >= 32 AND length(hashes) % 32 = 0)
) STRICT;

CREATE TABLE checkpoint (
  size  INTEGER PRIMARY KEY CHECK (size >= 0),
  at_ms INTEGER NOT NULL,
  note  TEXT NOT NULL CHECK (note <> '') -- signed
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER salt_insert BEFORE INSERT ON salt
WHEN EXISTS (SELECT 1 FROM salt WHERE correction_id = NEW.correction_id)
BEGIN SELECT RAISE(ABORT, 'the salt exists'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER salt_update BEFORE UPDATE ON salt
BEGIN SELECT RAISE(ABORT, 'salts are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER salt_delete BEFORE DELETE ON salt
BEGIN SELECT RAISE(ABORT, 'salts are not deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leaf_insert BEFORE INSERT ON leaf
WHEN EXISTS (SELECT 1 FROM leaf WHERE i >= NEW.i)
BEGIN SELECT RAISE(ABORT, 'the leaf does not follow'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leaf_update BEFORE UPDATE ON leaf
BEGIN SELECT RAISE(ABORT, 'leaves are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER leaf_delete BEFORE DELETE ON leaf
BEGIN SELECT RAISE(ABORT, 'leaves are not deleted'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoint_insert BEFORE INSERT ON checkpoint
WHEN EXISTS (SELECT 1 FROM checkpoint WHERE size = NEW.size)
BEGIN SELECT RAISE(ABORT, 'the checkpoint exists'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoint_update BEFORE UPDATE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoint_delete BEFORE DELETE ON checkpoint
BEGIN SELECT RAISE(ABORT, 'checkpoints are not deleted'); END;
-- +goose StatementEnd
