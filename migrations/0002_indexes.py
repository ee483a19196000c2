"""What Tortoise's models cannot say: partial and ordered indexes, an identity column, a bytewise collation."""

from tortoise import migrations
from tortoise.migrations import operations as ops

# name -> (unique, table and columns, condition); every index of a workspace's table begins with the workspace
INDEXES = {
    "user_email": (True, "user_account (email_normalised)", "email_normalised IS NOT NULL"),
    "membership_user": (False, "membership (user_id)", ""),
    "membership_team": (False, "membership (workspace_id, team_id)", ""),
    "team_name": (False, "team (workspace_id, name, id)", "deleted_at IS NULL"),
    "team_parent": (False, "team (parent_id)", ""),
    "session_token": (True, "session (token_hash)", ""),
    "session_previous": (False, "session (previous_hash)", "previous_hash IS NOT NULL"),
    "session_user": (False, "session (user_id)", "revoked_at IS NULL"),
    "invitation_email": (True, "invitation (workspace_id, email_normalised)", "accepted_at IS NULL AND revoked_at IS NULL"),
    "password_reset_user": (False, "password_reset (user_id)", ""),
    "api_key_hash": (True, "api_key (key_hash)", ""),
    "api_key_workspace": (False, "api_key (workspace_id, created_at)", ""),
    "pipeline_position": (False, "pipeline (workspace_id, position, id)", ""),
    "pipeline_default": (True, "pipeline (workspace_id)", "is_default AND archived_at IS NULL"),
    "stage_position": (False, "stage (workspace_id, pipeline_id, position, id)", ""),
    "stage_transition_lead": (False, "stage_transition (workspace_id, lead_id, moved_at, id)", ""),
    "move_request_pending": (True, "move_request (lead_id)", "status = 'PENDING'"),
    "move_request_workspace": (False, "move_request (workspace_id, created_at, id)", ""),
    "company_domain": (True, "company (workspace_id, domain)", "deleted_at IS NULL AND domain IS NOT NULL"),
    "company_name": (False, "company (workspace_id, name_normalised, id)", "deleted_at IS NULL"),
    "company_created": (False, "company (workspace_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "company_owner": (False, "company (workspace_id, owner_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "company_parent": (False, "company (parent_id)", "parent_id IS NOT NULL"),
    "company_search": (False, "company USING gin (to_tsvector('simple', name || ' ' || coalesce(domain, '') || ' ' || coalesce(industry, '')))", ""),
    "contact_email": (True, "contact (workspace_id, email_normalised)", "deleted_at IS NULL AND email_normalised IS NOT NULL"),
    "contact_phone": (False, "contact (workspace_id, phone_normalised)", "deleted_at IS NULL AND phone_normalised IS NOT NULL"),
    "contact_name": (False, "contact (workspace_id, name, id)", "deleted_at IS NULL"),
    "contact_created": (False, "contact (workspace_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "contact_owner": (False, "contact (workspace_id, owner_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "contact_company": (False, "contact (company_id)", "company_id IS NOT NULL"),
    "contact_search": (False, "contact USING gin (to_tsvector('simple', name || ' ' || coalesce(email, '') || ' ' || coalesce(job_title, '')))", ""),
    "product_name": (True, "product (workspace_id, name_normalised)", "archived_at IS NULL"),
    "product_sku": (True, "product (workspace_id, sku)", "archived_at IS NULL AND sku IS NOT NULL"),
    "product_created": (False, "product (workspace_id, created_at DESC, id DESC)", ""),
    "product_search": (False, "product USING gin (to_tsvector('simple', name || ' ' || coalesce(sku, '') || ' ' || coalesce(family, '')))", ""),
    "source_name": (True, "source (workspace_id, lower(name))", "archived_at IS NULL"),
    "lost_reason_name": (True, "lost_reason (workspace_id, lower(name))", "archived_at IS NULL"),
    "tag_name": (True, "tag (workspace_id, lower(name))", "archived_at IS NULL"),
    "lead_board": (False, "lead (workspace_id, stage_id, rank, id)", "deleted_at IS NULL AND status IN ('OPEN', 'WON')"),
    "lead_created": (False, "lead (workspace_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "lead_owner": (False, "lead (workspace_id, owner_id, created_at DESC, id DESC)", "deleted_at IS NULL"),
    "lead_updated": (False, "lead (workspace_id, updated_at DESC, id DESC)", "deleted_at IS NULL"),
    "lead_score": (False, "lead (workspace_id, score DESC NULLS LAST, id DESC)", "deleted_at IS NULL"),
    "lead_value": (False, "lead (workspace_id, value DESC NULLS LAST, id DESC)", "deleted_at IS NULL"),
    "lead_expected_close": (False, "lead (workspace_id, expected_close_date, id)", "deleted_at IS NULL"),
    "lead_closed": (False, "lead (workspace_id, closed_at DESC NULLS LAST, id DESC)", "deleted_at IS NULL"),
    "lead_stage": (False, "lead (stage_id)", ""),
    "lead_company": (False, "lead (company_id)", "company_id IS NOT NULL"),
    "lead_product": (False, "lead (product_id)", "product_id IS NOT NULL"),
    "lead_source": (False, "lead (source_id)", "source_id IS NOT NULL"),
    "lead_lost_reason": (False, "lead (lost_reason_id)", "lost_reason_id IS NOT NULL"),
    "lead_search": (False, "lead USING gin (to_tsvector('simple', title || ' ' || coalesce(description, '')))", ""),
    "lead_contact_contact": (False, "lead_contact (contact_id)", ""),
    "lead_contact_primary": (True, "lead_contact (lead_id)", "is_primary"),
    "lead_tag_tag": (False, "lead_tag (tag_id)", ""),
    "need_lead": (False, "need (lead_id)", "deleted_at IS NULL"),
    "external_ref_subject": (False, "external_ref (workspace_id, subject_type, subject_id)", ""),
    "event_position": (True, "event (workspace_id, position)", "position IS NOT NULL"),
    "event_pending": (False, "event (seq)", "position IS NULL"),
    "event_subject": (False, "event (workspace_id, subject_type, subject_id, seq)", ""),
    "job_due": (False, "job (queue, due_at)", "done_at IS NULL AND failed_at IS NULL"),
    "job_done": (False, "job (done_at)", "done_at IS NOT NULL"),
    "import_created": (False, "import (workspace_id, created_at DESC, id DESC)", ""),
    "import_fault_line": (False, "import_fault (of_import_id, line)", ""),
    "file_expires": (False, "file (expires_at)", "expires_at IS NOT NULL"),
    "idempotency_key_created": (False, "idempotency_key (created_at)", ""),
}


def create(name: str, unique: bool, on: str, condition: str) -> str:
    return f"CREATE {'UNIQUE ' if unique else ''}INDEX {name}_idx ON {on}{f' WHERE {condition}' if condition else ''}"


class Migration(migrations.Migration):
    dependencies = [("models", "0001_initial")]

    operations = [
        ops.RunSQL(
            ['ALTER TABLE lead ALTER COLUMN rank TYPE text COLLATE "C"'],
            ['ALTER TABLE lead ALTER COLUMN rank TYPE text COLLATE "default"'],
        ),
        ops.RunSQL(
            ["ALTER TABLE event ADD COLUMN seq bigint GENERATED ALWAYS AS IDENTITY"],
            ["ALTER TABLE event DROP COLUMN seq"],
        ),
        ops.RunSQL(
            [create(name, *index) for name, index in INDEXES.items()],
            [f"DROP INDEX IF EXISTS {name}_idx" for name in INDEXES],
        ),
    ]
