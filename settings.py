"""The environment, read once into one frozen object."""

from functools import lru_cache
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

__version__ = "0.1.0"
SHORTEST_SECRET = 32


class Settings(BaseSettings):
    """Every setting of Salescycle, its environment variable being its name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field("", description="PostgreSQL 15 or newer; empty: `salescycle up` starts its own.")
    database_direct_url: str = Field(
        "", description="PostgreSQL past any PgBouncer, for the relay; empty: DATABASE_URL."
    )
    database_pooler: Literal["", "transaction"] = Field(
        "", description="transaction: DATABASE_URL leads through PgBouncer in transaction mode, so nothing is prepared."
    )
    database_pool_size: int = Field(10, description="Connections to PostgreSQL a process may hold.")
    redis_url: str = Field("", description="Redis 7 or Valkey; empty: `salescycle up` starts its own.")
    data_dir: Path = Field(Path("data"), description="Folder of the embedded servers, mails and uploads.")
    secret_key: str = Field(
        "", description="At least 32 characters; signs access tokens and links. `up` makes one in the data folder."
    )
    previous_secret_keys: str = Field(
        "", description="Keys before SECRET_KEY, separated by commas: what they signed is still accepted."
    )
    public_url: str = Field("http://127.0.0.1:8000", description="Where clients reach the server; links begin with it.")
    app_url: str = Field(
        "",
        description="Where people work with a lead in your app, as https://crm.example/leads/{lead}; what they are "
        "reminded of links to it. Empty: it has no links.",
    )
    environment: Literal["development", "production"] = Field(
        "development", description="production: introspection, GraphiQL and suggestions are off unless set."
    )
    introspection: bool | None = Field(None, description="Allow introspection; empty: only in development.")
    smtp_url: str = Field(
        "", description="smtp://user:password@host:587; empty: mails are written into the data folder as .eml."
    )
    smtp_connections: int = Field(
        10,
        ge=1,
        description="Most connections of a worker to the mail server, and thus mails it sends at once.",
    )
    mail_from: str = Field("Salescycle <salescycle@localhost>", description="Sender of mails.")
    vapid_private_key: str = Field(
        "",
        description="Key of this server at browsers' push services: PEM, or 32 bytes as base64url; empty: one is made "
        "and kept in the database, sealed under SECRET_KEY.",
    )
    vapid_contact: str = Field(
        "", description="mailto: or https: address at which push services reach you; empty: that of MAIL_FROM."
    )
    push_origins: str = Field(
        "",
        description="Origins of push services that need not be on the public internet nor called by https, separated "
        "by commas, as http://10.0.0.5:8080; for tests and networks of your own.",
    )
    fcm_service_account: str = Field(
        "", description="Service account of the Firebase project, as JSON or the path of its file; empty: no FCM."
    )
    fcm_url: str = Field("https://fcm.googleapis.com", description="Where Firebase Cloud Messaging is reached.")
    apns_key: str = Field(
        "", description="Signing key for Apple's push service (.p8), as PEM or the path of its file; empty: no APNs."
    )
    apns_key_id: str = Field("", description="Id of APNS_KEY, 10 characters.")
    apns_team_id: str = Field("", description="Apple's id of your team, 10 characters.")
    apns_topic: str = Field("", description="Bundle id of the app that APNs pushes to.")
    apns_url: str = Field(
        "https://api.push.apple.com",
        description="Where Apple's push service is reached; https://api.sandbox.push.apple.com while an app is built.",
    )
    cors_origins: str = Field("", description="Origins of browser apps, separated by commas; * for all.")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    log_format: Literal["console", "json"] = Field("console", description="How log lines are written.")

    engine: bool = Field(True, description="Answer by compiled plans; off: everything by graphql-core, for comparison.")
    trusted_documents: Path | None = Field(
        None, description="Folder or manifest of trusted documents; in production nothing else is allowed then."
    )
    max_body_bytes: int = Field(1_048_576, description="Largest GraphQL request body, in bytes.")
    max_tokens_anonymous: int = Field(2_000, description="Most tokens of a document that nobody signed in for.")
    max_tokens: int = Field(5_000, description="Most tokens of a document.")
    max_depth: int = Field(12, description="Deepest selection; edges, nodes and node add none.")
    max_list_depth: int = Field(3, description="Deepest nesting of lists.")
    max_aliases: int = Field(30, description="Most aliases in an operation.")
    max_directives: int = Field(50, description="Most directives in an operation.")
    max_root_fields: int = Field(20, description="Most root fields in an operation.")
    max_batch: int = Field(10, description="Most operations in one batched request.")
    max_cost: int = Field(5_000, description="Highest cost of an operation.")
    budget: int = Field(200_000, description="Points of cost that an actor may save up; 0: no limit.")
    budget_per_second: int = Field(10_000, description="Points that an actor's budget regains every second.")
    query_timeout: float = Field(15, description="Seconds that a query may take.")
    mutation_timeout: float = Field(60, description="Seconds that a mutation may take.")
    files_url: str = Field(
        "",
        description="Where files' bytes lie: file:///folder, or s3://bucket/prefix?endpoint=https://host&region=name "
        "with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; empty: in the database.",
    )
    max_upload_bytes: int = Field(2_147_483_648, description="Largest file to import, in bytes.")
    max_attachment_bytes: int = Field(52_428_800, description="Largest attached file, in bytes.")
    max_attachments: int = Field(200, description="Most files on one lead, company or contact.")
    max_avatar_bytes: int = Field(5_242_880, description="Largest picture of a person as it is uploaded, in bytes.")
    max_avatar_pixels: int = Field(
        25_000_000, description="Most pixels of a picture of a person as it is uploaded; one is decoded at a time."
    )

    typesetters: int = Field(2, ge=1, description="Most documents that a process typesets at once.")
    typesetting_seconds: int = Field(10, ge=1, description="Seconds of CPU that typesetting a document may take.")
    typesetter_memory: int = Field(
        1_073_741_824, ge=268_435_456, description="Most memory that typesetting a document may take, in bytes."
    )
    max_logo_bytes: int = Field(5_242_880, description="Largest logo as it is uploaded, in bytes.")

    @field_validator("previous_secret_keys")
    @classmethod
    def _are_long_enough(cls, value: str) -> str:
        if any(len(key) < SHORTEST_SECRET for key in split(value)):
            raise ValueError(f"each key must have at least {SHORTEST_SECRET} characters")
        return value

    @field_validator("files_url")
    @classmethod
    def _names_a_store(cls, value: str) -> str:
        parts = urlsplit(value)
        folder = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/") and not parts.query
        bucket = parts.scheme == "s3" and parts.netloc and {*parse_qs(parts.query)} <= {"endpoint", "region"}
        if value and not folder and not bucket:
            raise ValueError("it must be file:///folder or s3://bucket/prefix?endpoint=https://host&region=name")
        return value

    @property
    def previous_keys(self) -> list[str]:
        return split(self.previous_secret_keys)

    @property
    def trusted_push_origins(self) -> list[str]:
        return split(self.push_origins)

    @property
    def direct_url(self) -> str:
        return self.database_direct_url or self.database_url

    @property
    def allows_introspection(self) -> bool:
        return self.environment == "development" if self.introspection is None else self.introspection


def split(value: str) -> list[str]:
    """Return what is separated by commas."""
    return [part.strip() for part in value.split(",") if part.strip()]


@lru_cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings()
