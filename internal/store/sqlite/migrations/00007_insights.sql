-- +goose Up

-- Figures are made from the facts of all corrections of a period. The facts of 2,000 ids
-- that follow each other, a stretch, are kept together; what is kept is dropped with any
-- event of one of them, so it always equals the record.
CREATE TABLE rollup (
  block   INTEGER PRIMARY KEY, -- as in stretch
  facts   BLOB NOT NULL,
  devices BLOB NOT NULL -- what devices they name: many, and not always asked for
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER event_rollup AFTER INSERT ON event
BEGIN
  DELETE FROM rollup WHERE block = NEW.correction_id / 2000;
END;
-- +goose StatementEnd
