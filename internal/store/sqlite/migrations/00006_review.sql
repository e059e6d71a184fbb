-- +goose Up

-- A correction that moves on is looked at anew: what was said of its former state does
-- not count for the new one.
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
    review = CASE WHEN NEW.review = '' AND state = NEW.state THEN review ELSE NEW.review END,
    approver = CASE WHEN NEW.state IN ('approved', 'declined', 'returned') AND state <> NEW.state THEN NEW.actor ELSE approver END
  WHERE correction_id = NEW.correction_id;
  DELETE FROM claim
  WHERE correction_id = NEW.correction_id AND NEW.state NOT IN ('awaiting_approval', 'approved', 'claimed', 'sending', 'unknown');
END;
-- +goose StatementEnd

-- Closings and reopenings of days, with the figures of that moment and the checkpoint of
-- the record that they rest on.
CREATE TABLE day_close (
  day         TEXT NOT NULL CHECK (day GLOB '[0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]'),
  n           INTEGER NOT NULL CHECK (n > 0),
  at_ms       INTEGER NOT NULL,
  actor       INTEGER NOT NULL REFERENCES user (id),
  session_row INTEGER NOT NULL,
  action      TEXT NOT NULL CHECK (action IN ('closed', 'reopened')),
  counts      TEXT NOT NULL CHECK (json_valid(counts)),
  size        INTEGER NOT NULL CHECK (size >= 0), -- of the checkpoint
  root        TEXT NOT NULL CHECK (root <> ''),
  note        TEXT NOT NULL CHECK (note <> ''), -- the checkpoint, signed
  text        TEXT NOT NULL,
  PRIMARY KEY (day, n),
  CHECK (action = 'closed' OR text <> '')
) STRICT, WITHOUT ROWID;

-- A day is closed and reopened in turns.
-- +goose StatementBegin
CREATE TRIGGER day_close_insert BEFORE INSERT ON day_close
WHEN NEW.n <> 1 + COALESCE((SELECT max(n) FROM day_close WHERE day = NEW.day), 0)
  OR NEW.action IS COALESCE((SELECT action FROM day_close WHERE day = NEW.day AND n = NEW.n - 1), 'reopened')
BEGIN SELECT RAISE(ABORT, 'the day was closed or reopened meanwhile'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER day_close_update BEFORE UPDATE ON day_close
BEGIN SELECT RAISE(ABORT, 'closings are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER day_close_delete BEFORE DELETE ON day_close
BEGIN SELECT RAISE(ABORT, 'closings are not deleted'); END;
-- +goose StatementEnd
