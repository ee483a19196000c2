"""What holds of the whole schema, whoever adds to it."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    get_named_type,
)

from domain.errors import all_errors
from schema.schema import graphql_schema

CORE = graphql_schema._schema
BUILT_IN = {"Boolean", "Float", "ID", "Int", "String"}


def types() -> Iterator[tuple[str, Any]]:
    for name, type_ in CORE.type_map.items():
        if not name.startswith("__") and name not in BUILT_IN:
            yield name, type_


def test_every_type_field_argument_and_enum_value_has_a_description() -> None:
    bare: list[str] = []
    for name, type_ in types():
        if not type_.description:
            bare.append(name)
        if isinstance(type_, GraphQLEnumType):
            bare += [f"{name}.{value}" for value, definition in type_.values.items() if not definition.description]
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field, definition in type_.fields.items():
                if not definition.description:
                    bare.append(f"{name}.{field}")
                arguments = getattr(definition, "args", {})
                bare += [
                    f"{name}.{field}({argument})" for argument, given in arguments.items() if not given.description
                ]
    assert bare == []


def test_every_scalar_says_what_specifies_it() -> None:
    assert [
        name for name, type_ in types() if isinstance(type_, GraphQLScalarType) and not type_.specified_by_url
    ] == []


def test_every_mutation_takes_one_input_and_returns_a_payload_with_user_errors() -> None:
    assert CORE.mutation_type
    for name, field in CORE.mutation_type.fields.items():
        assert list(field.args) == ["input"], name
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType)
        assert {"userErrors", "query", "clientMutationId"} <= payload.fields.keys(), name
        given = get_named_type(field.args["input"].type)
        assert isinstance(given, GraphQLInputObjectType)
        assert {"clientMutationId", "idempotencyKey"} <= given.fields.keys(), name


def test_objects_in_payloads_are_nullable_and_lists_are_not() -> None:
    assert CORE.mutation_type
    for name, field in CORE.mutation_type.fields.items():
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType)
        for key, each in payload.fields.items():
            if key in ("userErrors", "query"):
                continue
            if isinstance(get_named_type(each.type), GraphQLObjectType):
                is_list = isinstance(getattr(each.type, "of_type", None), GraphQLList)
                assert isinstance(each.type, GraphQLNonNull) == is_list, f"{name}.{key}"


def test_lists_that_can_grow_are_connections_and_no_list_holds_null_where_nothing_is_hidden() -> None:
    for name, type_ in types():
        if not isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            continue
        for field, definition in type_.fields.items():
            inner = definition.type.of_type if isinstance(definition.type, GraphQLNonNull) else definition.type
            if isinstance(inner, GraphQLList) and f"{name}.{field}" not in ("Query.nodes", "UserError.field"):
                assert isinstance(definition.type, GraphQLNonNull), f"{name}.{field} may be null"
                assert isinstance(inner.of_type, GraphQLNonNull), f"{name}.{field} may hold null"


def test_every_reason_to_refuse_is_in_the_schema() -> None:
    codes = CORE.type_map["ErrorCode"]
    assert isinstance(codes, GraphQLEnumType)
    assert {error.code for error in all_errors()} <= codes.values.keys()


PROMISED = """
Query: viewer workspace lead leads pipeline pipelines stage company companies contact contacts product products user
users savedViews search node nodes canMoveLead fieldDefinitions leadSummary activities tags comments notifications
qualificationCriteria handOvers
followUp followUps followUpPlans survey surveys surveyResults proposal proposals approvals approvalRules
sellingSettings negotiation negotiations publicNegotiation
Mutation: signUp signIn refreshToken signOut inviteUser acceptInvitation resetPassword updateMe switchWorkspace
createApiKey revokeApiKey captureLead updateLead assignLead moveLead requestMove approveMove rejectMove closeLead
reopenLead deleteLead restoreLead createPipeline updatePipeline createStage updateStage setStageRequirements
reorderStages archiveStage createLostReason createCompany updateCompany createContact updateContact createProduct
updateProduct createSavedView updateSavedView createTeam updateTeam setExchangeRate importLeads
tagLeads untagLeads updateLeads moveLeads assignLeads closeLeads deleteLeads
logActivity logActivities updateActivity deleteActivity answerQualification setQualificationCriteria handOverLead
acceptLead returnLead disqualifyLead createNeed updateNeed createCompetitor createCustomField updateCustomField
archiveCustomField addComment updateComment deleteComment createUpload attachFile deleteAttachment watchLead
unwatchLead markNotificationsRead createFollowUp updateFollowUp completeFollowUp cancelFollowUp snoozeFollowUp
createFollowUpPlan createSurvey publishSurvey dispatchSurvey submitSurvey registerDevice unregisterDevice
createProposal updateProposal setProposalLines requestProposalApproval approveProposal rejectProposal sendProposal
openNegotiation updateNegotiation makeOffer approveOffer rejectOffer agreeNegotiation breakOffNegotiation
commentOnNegotiation
withdrawProposal deleteProposal createApprovalRule updateApprovalRule archiveApprovalRule updateSellingSettings
Subscription: pipelineEvents leadEvents importProgress bulkProgress notificationReceived negotiationEvents
"""


@pytest.mark.parametrize("root", ["Query", "Mutation", "Subscription"])
def test_the_names_that_clients_rely_on_are_there(root: str) -> None:
    words = PROMISED.split(f"{root}:")[1].split(":")[0].split()
    names = [word for word in words if word not in ("Mutation", "Subscription")]
    type_ = CORE.type_map[root]
    assert isinstance(type_, GraphQLObjectType)
    assert [name for name in names if name not in type_.fields] == []


def test_every_object_that_people_edit_says_what_the_viewer_may_do() -> None:
    silent = [
        name
        for name, type_ in types()
        if isinstance(type_, GraphQLObjectType) and "version" in type_.fields and "viewerCan" not in type_.fields
    ]
    # A need follows its lead, members and the workspace the viewer's own permissions; their own reminders
    # are theirs to set, as how the workspace sells is with them. Who sees the words of mails and the
    # templates of documents may change them.
    assert sorted(silent) == [
        "DocumentTemplate",
        "MailTemplate",
        "Need",
        "ReminderSettings",
        "SellingSettings",
        "User",
        "Workspace",
    ]
