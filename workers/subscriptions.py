"""What follows from what: the one page that says which tasks react to an event, and what runs every night.

An event whose facts name a task under `done` asks for no such job: its operation has done that itself.
"""

from collections.abc import Mapping

from domain import (
    activity_events,
    api_keys,
    bulks,
    catalog,
    closings,
    companies,
    contacts,
    custom_fields,
    exchange_rates,
    invitations,
    leads,
    moves,
    needs,
    password_resets,
    pipelines,
    products,
    relationships,
    saved_views,
    scoring,
    sessions,
    stage_archive,
    stages,
    teams,
    users,
    workspaces,
)
from domain.events import Event
from domain.imports import names as import_names
from domain.imports import runs as imports
from workers.jobs import Task
from workers.tasks.bulks import run_bulk
from workers.tasks.custom_fields import remove_custom_values, settle_custom_index, settle_custom_indexes
from workers.tasks.forgetting import forget_what_ended
from workers.tasks.imports import run_import, write_faults
from workers.tasks.mails import send_invitation, send_password_reset
from workers.tasks.scoring import score_faded_leads, score_leads

SUBSCRIPTIONS: Mapping[type[Event], tuple[Task, ...]] = {
    leads.LeadCaptured: (score_leads,),
    leads.LeadUpdated: (score_leads,),
    leads.LeadAssigned: (score_leads,),
    leads.LeadDeleted: (),
    leads.LeadRestored: (score_leads,),
    moves.LeadMoved: (score_leads,),
    moves.LeadMoveRequested: (),
    moves.LeadMoveApproved: (),
    moves.LeadMoveRejected: (),
    closings.LeadClosed: (),
    closings.LeadReopened: (score_leads,),
    scoring.LeadScored: (),
    needs.NeedCreated: (score_leads,),
    needs.NeedUpdated: (),
    needs.NeedDeleted: (score_leads,),
    needs.NeedRestored: (score_leads,),
    activity_events.LeadActivityLogged: (score_leads,),
    activity_events.LeadActivityUpdated: (score_leads,),
    activity_events.LeadActivityDeleted: (score_leads,),
    activity_events.LeadActivityRestored: (score_leads,),
    activity_events.CompanyActivityLogged: (),
    activity_events.CompanyActivityUpdated: (),
    activity_events.CompanyActivityDeleted: (),
    activity_events.CompanyActivityRestored: (),
    activity_events.ContactActivityLogged: (),
    activity_events.ContactActivityUpdated: (),
    activity_events.ContactActivityDeleted: (),
    activity_events.ContactActivityRestored: (),
    companies.CompanyCreated: (),
    companies.CompanyUpdated: (),
    companies.CompanyDeleted: (score_leads,),
    companies.CompanyRestored: (score_leads,),
    contacts.ContactCreated: (),
    contacts.ContactUpdated: (score_leads,),
    contacts.ContactDeleted: (score_leads,),
    contacts.ContactRestored: (score_leads,),
    relationships.CompanyRelationshipChanged: (),
    relationships.ContactRelationshipChanged: (),
    imports.ImportStarted: (),
    imports.ImportProgressed: (),
    imports.ImportCompleted: (write_faults,),
    imports.ImportFailed: (write_faults,),
    import_names.UserImported: (),
    bulks.BulkStarted: (),
    bulks.BulkCompleted: (),
    bulks.BulkFailed: (),
    bulks.BulkCancelled: (),
    invitations.UserInvited: (send_invitation,),
    invitations.UserInvitationRevoked: (),
    invitations.UserJoined: (),
    password_resets.UserPasswordResetRequested: (send_password_reset,),
    password_resets.UserPasswordReset: (),
    sessions.UserSignedIn: (),
    sessions.UserSignedOut: (),
    sessions.UserSignedOutEverywhere: (),
    sessions.UserTokenReused: (),
    users.UserUpdated: (),
    users.UserPasswordChanged: (),
    teams.TeamCreated: (),
    teams.TeamUpdated: (),
    teams.TeamDeleted: (),
    api_keys.ApiKeyCreated: (),
    api_keys.ApiKeyRevoked: (),
    pipelines.PipelineCreated: (),
    pipelines.PipelineUpdated: (),
    pipelines.PipelineArchived: (),
    pipelines.PipelineRestored: (),
    stages.StageCreated: (),
    stages.StageUpdated: (),
    stages.StagesReordered: (),
    stage_archive.StageArchived: (),
    stage_archive.StageRestored: (),
    moves.StageRebalanced: (),
    exchange_rates.ExchangeRateSet: (score_leads,),
    custom_fields.CustomFieldCreated: (settle_custom_index,),
    custom_fields.CustomFieldUpdated: (settle_custom_index,),
    custom_fields.CustomFieldArchived: (settle_custom_index,),
    custom_fields.CustomFieldRestored: (settle_custom_index,),
    custom_fields.CustomFieldDeleted: (settle_custom_index, remove_custom_values),
    catalog.SourceCreated: (),
    catalog.SourceUpdated: (score_leads,),
    catalog.SourceArchived: (),
    catalog.SourceRestored: (),
    catalog.LostReasonCreated: (),
    catalog.LostReasonUpdated: (),
    catalog.LostReasonArchived: (),
    catalog.LostReasonRestored: (),
    catalog.TagCreated: (),
    catalog.TagUpdated: (),
    catalog.TagArchived: (),
    catalog.TagRestored: (),
    catalog.ActivityTypeCreated: (),
    catalog.ActivityTypeUpdated: (),
    catalog.ActivityTypeArchived: (),
    catalog.ActivityTypeRestored: (),
    products.ProductCreated: (),
    products.ProductUpdated: (),
    products.ProductArchived: (),
    products.ProductRestored: (),
    saved_views.SavedViewCreated: (),
    saved_views.SavedViewUpdated: (),
    saved_views.SavedViewDeleted: (),
    saved_views.SavedViewRestored: (),
    workspaces.WorkspaceCreated: (),
    workspaces.WorkspaceUpdated: (),
}

NIGHTLY: tuple[Task, ...] = (score_faded_leads, forget_what_ended, settle_custom_indexes)

# What operations have done later by domain.jobs.schedule.
SCHEDULED: tuple[Task, ...] = (
    run_bulk,
    run_import,
)

TASKS: Mapping[str, Task] = {
    task.name: task for tasks in (*SUBSCRIPTIONS.values(), NIGHTLY, SCHEDULED) for task in tasks
}
