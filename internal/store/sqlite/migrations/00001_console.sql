-- +goose Up

-- People and what they may touch.

CREATE TABLE user (
  id            INTEGER PRIMARY KEY,
  username      TEXT NOT NULL UNIQUE CHECK (username <> ''),
  name          TEXT NOT NULL,
  role          TEXT NOT NULL CHECK (role IN ('agent', 'supervisor', 'operator', 'auditor')),
  all_merchants INTEGER NOT NULL CHECK (all_merchants IN (0, 1)),
  password      TEXT NOT NULL,
  disabled      INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
  lang          TEXT NOT NULL DEFAULT '',
  theme         TEXT NOT NULL DEFAULT '',
  created_ms    INTEGER NOT NULL
) STRICT;

CREATE TABLE user_merchant (
  user_id   INTEGER NOT NULL REFERENCES user (id),
  sub_mchid TEXT NOT NULL,
  PRIMARY KEY (user_id, sub_mchid)
) STRICT, WITHOUT ROWID;

CREATE TABLE merchant (
  sub_mchid TEXT PRIMARY KEY NOT NULL CHECK (sub_mchid <> ''),
  name      TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE offering (
  service_id TEXT PRIMARY KEY NOT NULL CHECK (service_id <> ''),
  name       TEXT NOT NULL,
  industry   TEXT NOT NULL,
  cap        INTEGER NOT NULL CHECK (cap >= 0),
  allow_zero INTEGER NOT NULL CHECK (allow_zero IN (0, 1))
) STRICT, WITHOUT ROWID;

-- row is kept with everything that is done in the session, so rows stay.
CREATE TABLE session (
  row        INTEGER PRIMARY KEY,
  id_hash    BLOB NOT NULL UNIQUE CHECK (length(id_hash) = 32),
  user_id    INTEGER NOT NULL REFERENCES user (id),
  created_ms INTEGER NOT NULL,
  seen_ms    INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  ip         TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  revoked_ms INTEGER
) STRICT;
CREATE INDEX session_user ON session (user_id, row) WHERE revoked_ms IS NULL;

-- prev_ms is the time of the attempt before the last one, 0 when there is none.
CREATE TABLE attempt (
  key             TEXT PRIMARY KEY NOT NULL,
  failures        INTEGER NOT NULL,
  prev_ms         INTEGER NOT NULL,
  last_ms         INTEGER NOT NULL,
  locked_until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX attempt_last ON attempt (last_ms);

CREATE TABLE draft (
  user_id      INTEGER NOT NULL REFERENCES user (id),
  sub_mchid    TEXT NOT NULL,
  out_order_no TEXT NOT NULL,
  service_id   TEXT NOT NULL,
  form         TEXT NOT NULL,
  saved_ms     INTEGER NOT NULL,
  PRIMARY KEY (user_id, sub_mchid, out_order_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX draft_saved ON draft (saved_ms);

-- The record.

-- Large values stand last, so that a list reads none of their pages.
CREATE TABLE correction (
  id                INTEGER PRIMARY KEY,
  sub_mchid         TEXT NOT NULL CHECK (sub_mchid <> ''),
  service_id        TEXT NOT NULL,
  out_order_no      TEXT NOT NULL CHECK (out_order_no <> ''),
  base_total        INTEGER NOT NULL CHECK (base_total BETWEEN 0 AND 99999999999),
  target_total      INTEGER NOT NULL CHECK (target_total BETWEEN 0 AND base_total - 1),
  author            INTEGER NOT NULL REFERENCES user (id),
  session_row       INTEGER NOT NULL,
  prepared_ms       INTEGER NOT NULL,
  confirm_until_ms  INTEGER NOT NULL CHECK (confirm_until_ms > prepared_ms),
  retry_of          INTEGER UNIQUE REFERENCES correction (id),
  asks_total        INTEGER NOT NULL CHECK (asks_total IN (0, 1)),
  reason_code       TEXT NOT NULL,
  reason_zh         TEXT NOT NULL,
  reason_en         TEXT NOT NULL,
  reason_needs_note INTEGER NOT NULL CHECK (reason_needs_note IN (0, 1)),
  outgoing          TEXT NOT NULL,
  ticket            TEXT NOT NULL,
  note              TEXT NOT NULL,
  confirm_hash      BLOB NOT NULL UNIQUE CHECK (length(confirm_hash) = 32),
  confirm_nonce     BLOB NOT NULL CHECK (length(confirm_nonce) >= 16),
  base_sha256       BLOB NOT NULL CHECK (length(base_sha256) = 32),
  body_sha256       BLOB NOT NULL CHECK (length(body_sha256) = 32),
  warnings          TEXT NOT NULL CHECK (json_valid(warnings)),
  body              BLOB NOT NULL, -- the exact bytes to send
  base_json         BLOB NOT NULL
) STRICT;
CREATE INDEX correction_author ON correction (author, id, prepared_ms);
CREATE INDEX correction_merchant ON correction (sub_mchid, id, prepared_ms);
CREATE INDEX correction_order ON correction (out_order_no, sub_mchid, id);
CREATE INDEX correction_prepared ON correction (prepared_ms);

-- The only row of the record that is ever deleted: one open correction per order.
CREATE TABLE claim (
  sub_mchid     TEXT NOT NULL,
  out_order_no  TEXT NOT NULL,
  correction_id INTEGER NOT NULL UNIQUE REFERENCES correction (id),
  PRIMARY KEY (sub_mchid, out_order_no)
) STRICT, WITHOUT ROWID;

-- At most one POST per correction, for ever.
CREATE TABLE send (
  correction_id INTEGER PRIMARY KEY REFERENCES correction (id),
  sign_ms       INTEGER NOT NULL,
  nonce         TEXT NOT NULL CHECK (nonce <> ''),
  boot_id       TEXT NOT NULL, -- of the process that recorded it
  mono_ms       INTEGER NOT NULL -- since that process started
) STRICT;

CREATE TABLE event (
  correction_id INTEGER NOT NULL REFERENCES correction (id),
  n             INTEGER NOT NULL,
  state         TEXT NOT NULL,
  at_ms         INTEGER NOT NULL,
  actor         INTEGER REFERENCES user (id), -- NULL = the console itself
  session_row   INTEGER NOT NULL,
  detail        TEXT NOT NULL CHECK (json_valid(detail)),
  PRIMARY KEY (correction_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE transition (
  from_state TEXT NOT NULL,
  to_state   TEXT NOT NULL,
  PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;

INSERT INTO transition (from_state, to_state) VALUES
  ('', 'prepared'),
  ('prepared', 'claimed'), ('prepared', 'cancelled'), ('prepared', 'expired'),
  ('claimed', 'sending'), ('claimed', 'stale'), ('claimed', 'not_sent'),
  ('sending', 'applied'), ('sending', 'rejected'), ('sending', 'not_sent'), ('sending', 'unknown'), ('sending', 'conflict'),
  ('unknown', 'unknown'), ('unknown', 'applied'), ('unknown', 'rejected'), ('unknown', 'not_applied'), ('unknown', 'conflict');

-- Where each correction stands. Written by the triggers on event alone.
CREATE TABLE correction_now (
  correction_id INTEGER PRIMARY KEY REFERENCES correction (id),
  state         TEXT NOT NULL,
  n             INTEGER NOT NULL,
  at_ms         INTEGER NOT NULL,
  request_id    TEXT NOT NULL -- of WeChat's newest answer
) STRICT;
CREATE INDEX correction_now_state ON correction_now (state, correction_id);
CREATE INDEX correction_now_undone ON correction_now (at_ms)
  WHERE state IN ('stale', 'not_sent', 'rejected', 'not_applied');

CREATE TABLE snapshot (
  hash  BLOB PRIMARY KEY NOT NULL CHECK (length(hash) = 32),
  at_ms INTEGER NOT NULL,
  blob  BLOB NOT NULL
) STRICT;

CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  at_ms   INTEGER NOT NULL,
  user_id INTEGER REFERENCES user (id), -- NULL = nobody signed in, or the command line
  action  TEXT NOT NULL CHECK (action <> ''),
  detail  TEXT NOT NULL,
  ip      TEXT NOT NULL
) STRICT;

-- What an event needs, and what it brings about.

-- +goose StatementBegin
CREATE TRIGGER event_follows BEFORE INSERT ON event
WHEN NEW.n IS NOT 1 + COALESCE((SELECT n FROM correction_now WHERE correction_id = NEW.correction_id), 0)
  OR NOT EXISTS (
    SELECT 1 FROM transition
    WHERE from_state = COALESCE((SELECT state FROM correction_now WHERE correction_id = NEW.correction_id), '')
      AND to_state = NEW.state)
BEGIN
  SELECT RAISE(ABORT, 'the event does not follow');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER event_sending BEFORE INSERT ON event
WHEN NEW.state = 'sending' AND NOT EXISTS (SELECT 1 FROM send WHERE correction_id = NEW.correction_id)
BEGIN
  SELECT RAISE(ABORT, 'the intent to send is not on record');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER event_first AFTER INSERT ON event WHEN NEW.n = 1
BEGIN
  INSERT INTO correction_now (correction_id, state, n, at_ms, request_id)
  VALUES (NEW.correction_id, NEW.state, NEW.n, NEW.at_ms, COALESCE(NEW.detail ->> '$.request_id', ''));
END;
-- +goose StatementEnd

-- The order is free as soon as the correction no longer holds it.
-- +goose StatementBegin
CREATE TRIGGER event_next AFTER INSERT ON event WHEN NEW.n > 1
BEGIN
  UPDATE correction_now SET state = NEW.state, n = NEW.n, at_ms = NEW.at_ms,
    request_id = COALESCE(NULLIF(NEW.detail ->> '$.request_id', ''), request_id)
  WHERE correction_id = NEW.correction_id;
  DELETE FROM claim
  WHERE correction_id = NEW.correction_id AND NEW.state NOT IN ('claimed', 'sending', 'unknown');
END;
-- +goose StatementEnd

-- Nothing in the record is rewritten.
-- INSERT OR REPLACE deletes a row without firing its DELETE triggers, hence the
-- guards on INSERT, which look at every unique key.

-- +goose StatementBegin
CREATE TRIGGER correction_insert BEFORE INSERT ON correction
WHEN EXISTS (SELECT 1 FROM correction WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM correction WHERE confirm_hash = NEW.confirm_hash)
  OR EXISTS (SELECT 1 FROM correction WHERE retry_of = NEW.retry_of)
BEGIN SELECT RAISE(ABORT, 'the correction exists'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER correction_update BEFORE UPDATE ON correction
BEGIN SELECT RAISE(ABORT, 'corrections are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER correction_delete BEFORE DELETE ON correction
BEGIN SELECT RAISE(ABORT, 'corrections are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER claim_insert BEFORE INSERT ON claim
WHEN EXISTS (SELECT 1 FROM claim WHERE sub_mchid = NEW.sub_mchid AND out_order_no = NEW.out_order_no)
  OR EXISTS (SELECT 1 FROM claim WHERE correction_id = NEW.correction_id)
BEGIN SELECT RAISE(ABORT, 'the order is held'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER claim_update BEFORE UPDATE ON claim
BEGIN SELECT RAISE(ABORT, 'claims are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER claim_delete BEFORE DELETE ON claim
WHEN (SELECT state FROM correction_now WHERE correction_id = OLD.correction_id) IN ('claimed', 'sending', 'unknown')
BEGIN SELECT RAISE(ABORT, 'the correction holds the order'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER send_insert BEFORE INSERT ON send
WHEN EXISTS (SELECT 1 FROM send WHERE correction_id = NEW.correction_id)
  OR NOT EXISTS (SELECT 1 FROM claim WHERE correction_id = NEW.correction_id)
  OR (SELECT state FROM correction_now WHERE correction_id = NEW.correction_id) IS NOT 'claimed'
BEGIN SELECT RAISE(ABORT, 'the correction is not to be sent'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER send_update BEFORE UPDATE ON send
BEGIN SELECT RAISE(ABORT, 'intents are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER send_delete BEFORE DELETE ON send
BEGIN SELECT RAISE(ABORT, 'intents are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER event_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_delete BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER snapshot_insert BEFORE INSERT ON snapshot
WHEN EXISTS (SELECT 1 FROM snapshot WHERE hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'the snapshot exists'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER snapshot_update BEFORE UPDATE ON snapshot
BEGIN SELECT RAISE(ABORT, 'snapshots are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER snapshot_delete BEFORE DELETE ON snapshot
BEGIN SELECT RAISE(ABORT, 'snapshots are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER audit_insert BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the entry exists'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'entries are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'entries are not deleted'); END;
-- +goose StatementEnd
