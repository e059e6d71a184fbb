-- +goose Up

-- Totals that people typed to approve a correction in the top tier: counted before they
-- are compared. A right one does not count any more. What was typed is not kept.
CREATE TABLE typed_total (
  correction_id INTEGER NOT NULL REFERENCES correction (id),
  user_id       INTEGER NOT NULL REFERENCES user (id),
  n             INTEGER NOT NULL CHECK (n > 0),
  at_ms         INTEGER NOT NULL,
  is_right      INTEGER NOT NULL DEFAULT 0 CHECK (is_right IN (0, 1)),
  PRIMARY KEY (correction_id, user_id, n)
) STRICT, WITHOUT ROWID;

-- Three, and no more: MaxTries of the program.
-- +goose StatementBegin
CREATE TRIGGER typed_total_insert BEFORE INSERT ON typed_total
WHEN NEW.is_right <> 0
  OR NEW.n IS NOT 1 + COALESCE((SELECT max(n) FROM typed_total WHERE correction_id = NEW.correction_id AND user_id = NEW.user_id), 0)
  OR (SELECT count(*) FROM typed_total WHERE correction_id = NEW.correction_id AND user_id = NEW.user_id AND is_right = 0) >= 3
BEGIN SELECT RAISE(ABORT, 'no more totals may be typed'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER typed_total_update BEFORE UPDATE ON typed_total
WHEN NEW.correction_id <> OLD.correction_id OR NEW.user_id <> OLD.user_id OR NEW.n <> OLD.n OR NEW.at_ms <> OLD.at_ms OR OLD.is_right = 1
BEGIN SELECT RAISE(ABORT, 'tries are not rewritten'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER typed_total_delete BEFORE DELETE ON typed_total
BEGIN SELECT RAISE(ABORT, 'tries are not deleted'); END;
-- +goose StatementEnd

-- Who typed three wrong totals decides nothing about that correction.
-- +goose StatementBegin
CREATE TRIGGER event_decided_tries BEFORE INSERT ON event
WHEN NEW.state IN ('approved', 'declined', 'returned') AND NOT EXISTS (SELECT 1 FROM replaying)
  AND (SELECT state FROM correction_now WHERE correction_id = NEW.correction_id) IS NOT NEW.state
  AND (SELECT count(*) FROM typed_total WHERE correction_id = NEW.correction_id AND user_id = NEW.actor AND is_right = 0) >= 3
BEGIN SELECT RAISE(ABORT, 'that person typed three wrong totals'); END;
-- +goose StatementEnd

-- Who approved a correction does not review it, and is not the second person of its
-- ruling, unless nobody else has role and scope; then the event says so.
-- +goose StatementBegin
CREATE TRIGGER event_review_approver BEFORE INSERT ON event
WHEN NEW.review IN ('fine', 'queried', 'wrong') AND NOT EXISTS (SELECT 1 FROM replaying)
  AND EXISTS (SELECT 1 FROM event WHERE correction_id = NEW.correction_id AND state = 'approved' AND actor = NEW.actor)
  AND (NEW.detail ->> '$.alone' IS NOT 1 OR EXISTS (
    SELECT 1 FROM user u, correction c
    WHERE c.id = NEW.correction_id AND u.role = 'supervisor' AND u.disabled = 0 AND u.id NOT IN (NEW.actor, c.author)
      AND (u.all_merchants = 1 OR EXISTS (SELECT 1 FROM user_merchant m WHERE m.user_id = u.id AND m.sub_mchid = c.sub_mchid))))
BEGIN SELECT RAISE(ABORT, 'who approved it does not review it'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_resolved_approver BEFORE INSERT ON event
WHEN NEW.state = 'resolved' AND NOT EXISTS (SELECT 1 FROM replaying)
  AND (SELECT state FROM correction_now WHERE correction_id = NEW.correction_id) IS NOT 'resolved'
  AND EXISTS (SELECT 1 FROM event WHERE correction_id = NEW.correction_id AND state = 'approved' AND actor = NEW.actor)
  AND (NEW.detail ->> '$.alone' IS NOT 1 OR EXISTS (
    SELECT 1 FROM user u, correction c
    WHERE c.id = NEW.correction_id AND u.role = 'supervisor' AND u.disabled = 0 AND u.id NOT IN (NEW.actor, c.author)
      AND u.id IS NOT (SELECT actor FROM event WHERE correction_id = NEW.correction_id AND n = NEW.n - 1)
      AND (u.all_merchants = 1 OR EXISTS (SELECT 1 FROM user_merchant m WHERE m.user_id = u.id AND m.sub_mchid = c.sub_mchid))))
BEGIN SELECT RAISE(ABORT, 'who approved it is not the second person of its ruling'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_alone BEFORE INSERT ON event
WHEN NEW.detail ->> '$.alone' IS 1 AND NOT EXISTS (SELECT 1 FROM replaying)
  AND NOT EXISTS (SELECT 1 FROM event WHERE correction_id = NEW.correction_id AND state = 'approved' AND actor = NEW.actor)
BEGIN SELECT RAISE(ABORT, 'somebody else approved it'); END;
-- +goose StatementEnd
