"""What Zendesk's API sends of tickets: https://developer.zendesk.com/api-reference/ticketing/."""

from __future__ import annotations

from syncline.connectors.wire import Dated, Id, Moment, Number, Text, Texts, Wire

__all__ = ["Comment", "Ticket"]


class Ticket(Dated):
    id: Id
    subject: Text = ""
    description: Text = ""
    status: Text = ""
    priority: Text = ""
    type: Text = ""
    requester_id: Text = ""
    assignee_id: Text = ""
    organization_id: Text = ""
    tags: Texts = ()
    generated_timestamp: Number = None

    @property
    def gone(self) -> bool:
        """Deleted; or erased, of which the export keeps a husk."""
        scrubbed = self.subject == "SCRUBBED" and self.description == "X"
        return self.status == "deleted" or scrubbed


class Comment(Wire):
    id: Id
    author_id: Text = ""
    html_body: Text = ""
    plain_body: Text = ""
    body: Text = ""
    public: bool | None = None
    """Only what is said to be public is."""
    created_at: Moment = None
