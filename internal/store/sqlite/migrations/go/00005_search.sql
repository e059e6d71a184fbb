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

-- What the change log is searched by. All of it follows from the record and is written
-- with it, in the same transaction.

-- The texts of corrections, cut into short pieces, with what else never changes of them.
-- The row is the correction; the pieces are cut by the program.
CREATE VIRTUAL TABLE search USING fts5 (pieces, content='', contentless_delete=1, detail=none, tokenize='ascii');

-- The values that corrections are filtered by: of which kind, and which.
CREATE TABLE facet (
  n     INTEGER PRIMARY KEY,
  kind  TEXT NOT NULL,
  value TEXT NOT NULL,
  UNIQUE (kind, value)
) STRICT;

-- Which corrections have a value: of each 16,000 ids, two bytes for each that has it or,
-- when they are many, a bit for every id. The key is the facet's number times 2^32 and
-- the block.
CREATE TABLE facet_block (
  key  INTEGER PRIMARY KEY,
  bits BLOB NOT NULL
) STRICT;

-- How much corrections give up: of each 2,000 ids a byte, which stands for a range of
-- amounts or of shares. The key is 1 (fen) or 2 (share of the order) times 2^32 and the
-- block.
CREATE TABLE measure (
  key   INTEGER PRIMARY KEY,
  bytes BLOB NOT NULL
) STRICT;

-- When corrections were prepared: of each 2,000 ids, how many there are, the earliest
-- time in this block and all later ones, and the latest in this and all earlier ones.
-- Both grow with the block, also where a clock was set back.
CREATE TABLE stretch (
  block    INTEGER PRIMARY KEY,
  n        INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  reach_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX stretch_since ON stretch (since_ms, block);
CREATE INDEX stretch_reach ON stretch (reach_ms, block);

CREATE INDEX correction_reduction ON correction (base_total - target_total, id);
