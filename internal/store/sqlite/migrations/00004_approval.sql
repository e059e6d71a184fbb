-- +goose Up

-- Settings that people edit: each edit is a new row, so that nothing is lost and
-- every one can be taken back.
CREATE TABLE setting (
  name  TEXT NOT NULL CHECK (name <> ''),
  n     INTEGER NOT NULL CHECK (n > 0),
  at_ms INTEGER NOT NULL,
  actor INTEGER REFERENCES user (id), -- NULL = the command line
  value TEXT NOT NULL CHECK (json_valid(value)),
  PRIMARY KEY (name, n)
) STRICT, WITHOUT ROWID;

-- What a review says of a correction; part of the proof when it says something.
ALTER TABLE event ADD COLUMN review TEXT NOT NULL DEFAULT ''
  CHECK (review IN ('', 'fine', 'queried', 'answered', 'wrong'));

ALTER TABLE correction_now ADD COLUMN review TEXT NOT NULL DEFAULT '';
ALTER TABLE correction_now ADD COLUMN approver INTEGER NOT NULL DEFAULT 0; -- who decided; 0 = nobody
ALTER TABLE correction_now ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0 CHECK (flagged IN (0, 1));

CREATE INDEX correction_now_review ON correction_now (review, correction_id) WHERE review <> '';
CREATE INDEX correction_now_approver ON correction_now (approver, correction_id) WHERE approver <> 0;
CREATE INDEX correction_now_unreviewed ON correction_now (correction_id) WHERE flagged = 1 AND review IN ('', 'answered');

-- Why a correction is to be looked at: one row a rule. Written by the trigger on event.
CREATE TABLE flag (
  code          TEXT NOT NULL,
  correction_id INTEGER NOT NULL REFERENCES correction (id),
  PRIMARY KEY (code, correction_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX flag_correction ON flag (correction_id);

-- What people gave up on their own authority. Written by the trigger on event.
CREATE TABLE spent (
  correction_id INTEGER PRIMARY KEY REFERENCES correction (id),
  author        INTEGER NOT NULL,
  at_ms         INTEGER NOT NULL,
  reduction     INTEGER NOT NULL
) STRICT;
CREATE INDEX spent_author ON spent (author, at_ms);
INSERT INTO spent (correction_id, author, at_ms, reduction)
  SELECT c.id, c.author, e.at_ms, c.base_total - c.target_total FROM event e JOIN correction c ON c.id = e.correction_id WHERE e.state = 'claimed';

-- The devices that a correction names. Written by the trigger on correction.
CREATE TABLE device (
  device_id     TEXT NOT NULL,
  correction_id INTEGER NOT NULL REFERENCES correction (id),
  PRIMARY KEY (device_id, correction_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_correction ON device (correction_id);

INSERT INTO device (device_id, correction_id)
  SELECT id, correction_id FROM (
    SELECT CAST(body AS TEXT) ->> '$.device.start_device_id' AS id, id AS correction_id FROM correction WHERE json_valid(CAST(body AS TEXT))
    UNION
    SELECT CAST(body AS TEXT) ->> '$.device.end_device_id', id FROM correction WHERE json_valid(CAST(body AS TEXT)))
  WHERE id <> '';

-- +goose StatementBegin
CREATE TRIGGER correction_device AFTER INSERT ON correction WHEN json_valid(CAST(NEW.body AS TEXT))
BEGIN
  INSERT INTO device (device_id, correction_id)
    SELECT id, NEW.id FROM (
      SELECT CAST(NEW.body AS TEXT) ->> '$.device.start_device_id' AS id
      UNION
      SELECT CAST(NEW.body AS TEXT) ->> '$.device.end_device_id')
    WHERE id <> '';
END;
-- +goose StatementEnd

-- When a person opened the form of an order.
CREATE TABLE look (
  user_id      INTEGER NOT NULL REFERENCES user (id),
  sub_mchid    TEXT NOT NULL,
  out_order_no TEXT NOT NULL,
  at_ms        INTEGER NOT NULL,
  PRIMARY KEY (user_id, sub_mchid, out_order_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX look_at ON look (at_ms);

-- Present while the journal is replayed: what was decided then is not judged by the
-- limits of now.
CREATE TABLE replaying (one INTEGER PRIMARY KEY CHECK (one = 1)) STRICT;

INSERT INTO transition (from_state, to_state) VALUES
  ('prepared', 'awaiting_approval'),
  ('awaiting_approval', 'approved'), ('awaiting_approval', 'declined'), ('awaiting_approval', 'returned'),
  ('awaiting_approval', 'cancelled'), ('awaiting_approval', 'expired'), ('awaiting_approval', 'stale'),
  ('approved', 'claimed'),
  -- Reviewed.
  ('stale', 'stale'), ('declined', 'declined'), ('returned', 'returned'), ('expired', 'expired'), ('cancelled', 'cancelled'), ('resolved', 'resolved');

DROP INDEX correction_now_watched;
CREATE INDEX correction_now_watched ON correction_now (correction_id)
  WHERE settled = '' AND state IN ('awaiting_approval', 'claimed', 'sending', 'unknown', 'applied', 'applied_late', 'rejected', 'not_sent', 'not_applied');

DROP INDEX correction_now_undone;
CREATE INDEX correction_now_undone ON correction_now (at_ms)
  WHERE state IN ('stale', 'not_sent', 'rejected', 'not_applied', 'returned', 'declined');

DROP TRIGGER event_next;
-- +goose StatementBegin
CREATE TRIGGER event_next AFTER INSERT ON event WHEN NEW.n > 1
BEGIN
  UPDATE correction_now SET
    at_ms = CASE WHEN state = NEW.state THEN at_ms ELSE NEW.at_ms END,
    state = NEW.state, n = NEW.n,
    request_id = CASE WHEN NEW.request_id = '' THEN request_id ELSE NEW.request_id END,
    settled = CASE WHEN NEW.settled = '' AND state = NEW.state THEN settled ELSE NEW.settled END,
    due = CASE NEW.due WHEN 0 THEN due ELSE NEW.due > 0 END,
    review = CASE NEW.review WHEN '' THEN review ELSE NEW.review END,
    approver = CASE WHEN NEW.state IN ('approved', 'declined', 'returned') AND state <> NEW.state THEN NEW.actor ELSE approver END
  WHERE correction_id = NEW.correction_id;
  DELETE FROM claim
  WHERE correction_id = NEW.correction_id AND NEW.state NOT IN ('awaiting_approval', 'approved', 'claimed', 'sending', 'unknown');
END;
-- +goose StatementEnd

DROP TRIGGER claim_delete;
-- +goose StatementBegin
CREATE TRIGGER claim_delete BEFORE DELETE ON claim
WHEN (SELECT state FROM correction_now WHERE correction_id = OLD.correction_id) IN ('awaiting_approval', 'approved', 'claimed', 'sending', 'unknown')
BEGIN SELECT RAISE(ABORT, 'the correction holds the order'); END;
-- +goose StatementEnd

-- Confirmed: why it is to be looked at, and what its author gave up alone.
-- +goose StatementBegin
CREATE TRIGGER event_claimed AFTER INSERT ON event WHEN NEW.state = 'claimed'
BEGIN
  INSERT INTO flag (code, correction_id)
    SELECT DISTINCT value ->> '$.code', NEW.correction_id FROM json_each(NEW.detail, '$.flags');
  UPDATE correction_now SET flagged = 1
    WHERE correction_id = NEW.correction_id AND json_array_length(NEW.detail, '$.flags') > 0;
  INSERT INTO spent (correction_id, author, at_ms, reduction)
    SELECT id, author, NEW.at_ms, base_total - target_total FROM correction
    WHERE id = NEW.correction_id
      AND (SELECT state FROM event WHERE correction_id = NEW.correction_id AND n = NEW.n - 1) = 'prepared';
END;
-- +goose StatementEnd

-- Two people settle a conflict; what is said of it later on is a review.
DROP TRIGGER event_resolved;
-- +goose StatementBegin
CREATE TRIGGER event_resolved BEFORE INSERT ON event
WHEN NEW.state = 'resolved' AND (SELECT state FROM correction_now WHERE correction_id = NEW.correction_id) IS NOT 'resolved' AND (
  NEW.actor IS NULL
  OR NEW.actor IS (SELECT author FROM correction WHERE id = NEW.correction_id)
  OR COALESCE((SELECT actor FROM event WHERE correction_id = NEW.correction_id AND n = NEW.n - 1), NEW.actor) = NEW.actor)
BEGIN
  SELECT RAISE(ABORT, 'a conflict needs a second person');
END;
-- +goose StatementEnd

-- Nobody decides about their own correction, whatever the settings say.
-- +goose StatementBegin
CREATE TRIGGER event_decided BEFORE INSERT ON event
WHEN NEW.state IN ('approved', 'declined', 'returned')
  AND (SELECT state FROM correction_now WHERE correction_id = NEW.correction_id) IS NOT NEW.state
  AND (NEW.actor IS NULL OR NEW.actor IS (SELECT author FROM correction WHERE id = NEW.correction_id))
BEGIN
  SELECT RAISE(ABORT, 'a decision needs a second person');
END;
-- +goose StatementEnd

-- An approval is of these very bytes.
-- +goose StatementBegin
CREATE TRIGGER event_approved_bytes BEFORE INSERT ON event
WHEN NEW.state = 'approved'
  AND NEW.detail ->> '$.body_sha256' IS NOT (SELECT lower(hex(body_sha256)) FROM correction WHERE id = NEW.correction_id)
BEGIN
  SELECT RAISE(ABORT, 'the approval is of other bytes');
END;
-- +goose StatementEnd

-- Nobody approves above their own limit: the person's own, else that of the role.
-- +goose StatementBegin
CREATE TRIGGER event_approved_limit BEFORE INSERT ON event
WHEN NEW.state = 'approved' AND NOT EXISTS (SELECT 1 FROM replaying) AND EXISTS (
  SELECT 1 FROM (
    SELECT COALESCE(s.value -> ('$.people."' || u.id || '"'), s.value -> ('$.roles.' || u.role)) AS own
    FROM user u, setting s
    WHERE u.id = NEW.actor AND s.name = 'limits' AND s.n = (SELECT max(n) FROM setting WHERE name = 'limits')
  ) l, correction c
  WHERE c.id = NEW.correction_id
    AND (c.base_total - c.target_total > l.own ->> '$.per'
      OR (c.base_total - c.target_total) * 1000 > (l.own ->> '$.per_permille') * c.base_total))
BEGIN
  SELECT RAISE(ABORT, 'the approval is above the limit of who gives it');
END;
-- +goose StatementEnd

-- What came to its end is reviewed by somebody else; a question is answered by the author.
-- +goose StatementBegin
CREATE TRIGGER event_review BEFORE INSERT ON event
WHEN NEW.review <> '' AND (
  NEW.actor IS NULL
  OR NEW.state IS NOT (SELECT state FROM correction_now WHERE correction_id = NEW.correction_id)
  OR (NEW.review = 'answered') IS NOT (NEW.actor IS (SELECT author FROM correction WHERE id = NEW.correction_id)))
BEGIN
  SELECT RAISE(ABORT, 'a review needs a second person');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER setting_insert BEFORE INSERT ON setting
WHEN NEW.n <> 1 + COALESCE((SELECT max(n) FROM setting WHERE name = NEW.name), 0)
BEGIN SELECT RAISE(ABORT, 'the setting was edited meanwhile'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER setting_update BEFORE UPDATE ON setting
BEGIN SELECT RAISE(ABORT, 'edits are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER setting_delete BEFORE DELETE ON setting
BEGIN SELECT RAISE(ABORT, 'edits are not deleted'); END;
-- +goose StatementEnd
