-- +goose Up

-- Named filters of the change log.
CREATE TABLE saved_view (
  id         INTEGER PRIMARY KEY,
  owner      INTEGER NOT NULL REFERENCES user (id),
  name       TEXT NOT NULL CHECK (name <> ''),
  query      TEXT NOT NULL,
  shared     INTEGER NOT NULL CHECK (shared IN (0, 1)),
  created_ms INTEGER NOT NULL,
  UNIQUE (owner, name)
) STRICT;
