-- +goose Up

-- Figures are made from the facts of all corrections of a period. The facts of 1,024
-- ids that follow each other are kept together; what is kept is dropped with any event
-- of one of them, so it always equals the record.

-- When the corrections of a block were prepared. Written by the trigger on correction.
CREATE TABLE rollup_span (
  block    INTEGER PRIMARY KEY, -- id >> 10
  first_ms INTEGER NOT NULL,
  last_ms  INTEGER NOT NULL
) STRICT;

INSERT INTO rollup_span (block, first_ms, last_ms)
  SELECT id >> 10, min(prepared_ms), max(prepared_ms) FROM correction INDEXED BY correction_prepared GROUP BY id >> 10;

-- Devices are many and not always asked for.
CREATE TABLE rollup (
  block   INTEGER PRIMARY KEY,
  facts   BLOB NOT NULL,
  devices BLOB NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER correction_rollup AFTER INSERT ON correction
BEGIN
  INSERT INTO rollup_span (block, first_ms, last_ms) VALUES (NEW.id >> 10, NEW.prepared_ms, NEW.prepared_ms)
  ON CONFLICT (block) DO UPDATE SET first_ms = min(first_ms, excluded.first_ms), last_ms = max(last_ms, excluded.last_ms)
    WHERE excluded.first_ms < first_ms OR excluded.last_ms > last_ms;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER event_rollup AFTER INSERT ON event
BEGIN
  DELETE FROM rollup WHERE block = NEW.correction_id >> 10;
END;
-- +goose StatementEnd
