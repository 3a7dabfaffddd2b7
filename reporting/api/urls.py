from gateway_project.shared.rest import rest_paths
from reporting.api.views import EventsView, KeySpendView, ReportView

urlpatterns = [
    *rest_paths("api/events", EventsView),
    *rest_paths("api/reporting/events", ReportView),
    *rest_paths("api/reporting/keys/<str:key_id>", KeySpendView),
]
