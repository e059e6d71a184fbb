-- +goose Up

-- Before it is sent, a rule or a person no longer permits a correction: it is void.
INSERT INTO transition (from_state, to_state) VALUES
  ('prepared', 'void'), ('awaiting_approval', 'void'),
  ('void', 'void'); -- reviewed

DROP INDEX correction_now_undone;
CREATE INDEX correction_now_undone ON correction_now (at_ms)
  WHERE state IN ('stale', 'not_sent', 'rejected', 'not_applied', 'returned', 'declined', 'void');

-- Nothing of somebody who is disabled is sent any more.
-- +goose StatementBegin
CREATE TRIGGER event_disabled BEFORE INSERT ON event
WHEN NEW.state = 'sending' AND NOT EXISTS (SELECT 1 FROM replaying)
  AND (SELECT u.disabled FROM correction c JOIN user u ON u.id = c.author WHERE c.id = NEW.correction_id)
BEGIN
  SELECT RAISE(ABORT, 'the author is disabled');
END;
-- +goose StatementEnd

-- Nobody approves above their own limit: the person's own, else that of the role. What
-- the order was lowered by since the first correction that they wrote or approved, and
-- that took effect or may have, counts together.
DROP TRIGGER event_approved_limit;
-- +goose StatementBegin
CREATE TRIGGER event_approved_limit BEFORE INSERT ON event
WHEN NEW.state = 'approved' AND NOT EXISTS (SELECT 1 FROM replaying) AND EXISTS (
  SELECT 1 FROM (
    SELECT COALESCE(s.value -> ('$.people."' || u.id || '"'), s.value -> ('$.roles.' || u.role)) AS own
    FROM user u, setting s
    WHERE u.id = NEW.actor AND s.name = 'limits' AND s.n = (SELECT max(n) FROM setting WHERE name = 'limits')
  ) l, (
    SELECT me.target_total AS target, max(me.base_total, COALESCE((
      SELECT max(c.base_total) FROM correction c JOIN correction_now w ON w.correction_id = c.id
      WHERE c.out_order_no = me.out_order_no AND c.sub_mchid = me.sub_mchid AND c.id <> me.id AND (c.author = NEW.actor OR w.approver = NEW.actor)
        AND (w.state IN ('sending', 'unknown', 'applied', 'applied_late', 'conflict') OR w.state = 'resolved' AND NOT EXISTS (
          SELECT 1 FROM event e WHERE e.correction_id = c.id AND e.state = 'resolved' AND e.detail ->> '$.ruling' = 'not_applied'))), 0)) AS first
    FROM correction me WHERE me.id = NEW.correction_id
  ) o
  WHERE o.first - o.target > l.own ->> '$.per'
    OR (o.first - o.target) * 1000 > (l.own ->> '$.per_permille') * o.first)
BEGIN
  SELECT RAISE(ABORT, 'the approval is above the limit of who gives it');
END;
-- +goose StatementEnd
