"""Refusals of the reporting endpoints that the seed gives names of their own."""

from gateway_project.shared.problems import BadRequest, ValidationFailed


class NoFilters(BadRequest):
    default_code = "no_filters_empty"
    title = "none of customId, keyIds and userId is specified"


class StartMissing(BadRequest):
    default_code = "query_param_start_missing"
    title = "query param start is missing"


class EndMissing(BadRequest):
    default_code = "query_param_end_missing"
    title = "query param end is missing"


class BadStart(BadRequest):
    default_code = "bad_start_query_param"
    title = "query start cannot be parsed"


class BadEnd(BadRequest):
    default_code = "bad_end_query_param"
    title = "query end cannot be parsed"


class InvalidReportingRequest(ValidationFailed):
    default_code = "invalid_reporting_request"
    title = "invalid reporting request"
