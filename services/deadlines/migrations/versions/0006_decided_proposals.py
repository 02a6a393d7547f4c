"""What was proposed stays as it was, and what was decided stays decided.

Refuses only what no code does.

Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_FUNCTION = """
CREATE FUNCTION deadlines.proposal_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may text[];
BEGIN
    IF TG_OP = 'INSERT' AND NEW.state = 'open' THEN
        RETURN NEW;
    END IF;
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'deadlines.policy_proposals: % refused', TG_OP
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    may := CASE OLD.state WHEN 'open'
        THEN ARRAY['state', 'decided_by', 'decided_at', 'decision']
        ELSE ARRAY['rewound_to', 'rewound_at'] END;
    IF to_jsonb(OLD) - may <> to_jsonb(NEW) - may THEN
        RAISE EXCEPTION 'deadlines.policy_proposals: a % proposal stays as it is', OLD.state
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF OLD.state = 'open' AND NEW.state IN ('approved', 'rejected')
        AND lower(btrim(normalize(NEW.decided_by, NFKC)))
            = lower(btrim(normalize(OLD.proposed_by, NFKC))) THEN
        RAISE EXCEPTION 'deadlines.policy_proposals: needs two people'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_policy_proposals_two_people';
    END IF;
    RETURN NEW;
END $$
"""
_TRIGGERS = (
    "CREATE TRIGGER policy_proposals_stay BEFORE INSERT OR UPDATE OR DELETE "
    "ON deadlines.policy_proposals FOR EACH ROW EXECUTE FUNCTION deadlines.proposal_stays()",
    "CREATE TRIGGER policy_proposals_all_stay BEFORE TRUNCATE "
    "ON deadlines.policy_proposals FOR EACH STATEMENT EXECUTE FUNCTION deadlines.proposal_stays()",
    "ALTER TABLE deadlines.policy_proposals ENABLE ALWAYS TRIGGER policy_proposals_stay",
    "ALTER TABLE deadlines.policy_proposals ENABLE ALWAYS TRIGGER policy_proposals_all_stay",
)
_RIGHTS = (
    "REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON deadlines.policy_proposals "
    "FROM hartline_deadlines_app",
    "GRANT UPDATE (state, decided_by, decided_at, decision, rewound_to, rewound_at) "
    "ON deadlines.policy_proposals TO hartline_deadlines_app",
)


def upgrade() -> None:
    for statement in (_FUNCTION, *_TRIGGERS, *_RIGHTS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations go forward only: write a new one.")
