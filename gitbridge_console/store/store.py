"""``Store``: everything kept in Redis for one namespace, opened and closed as one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gitbridge_console.settings.model import Settings
from gitbridge_console.store.alert_book import AlertStore
from gitbridge_console.store.answer_cache import AnswerCacheStore
from gitbridge_console.store.attempt_log import AttemptLog
from gitbridge_console.store.backup import BackupStore
from gitbridge_console.store.batches import BatchStore
from gitbridge_console.store.bounded_writes import BoundedWrites
from gitbridge_console.store.budgets import BudgetStore
from gitbridge_console.store.bulk_operations import BulkStore
from gitbridge_console.store.clients import cluster_of
from gitbridge_console.store.connection import StoreConnection, StoreUnavailable, connect, make_client
from gitbridge_console.store.dead_letters import DeadLetterStore
from gitbridge_console.store.durability import DiskWait
from gitbridge_console.store.event_log import EventLog
from gitbridge_console.store.event_queue import RedisEventQueue
from gitbridge_console.store.event_records import EventRecords
from gitbridge_console.store.fleet import FleetRegistry
from gitbridge_console.store.host_board import HostBoard
from gitbridge_console.store.inbox_board import InboxBoard
from gitbridge_console.store.journal import AuditJournal
from gitbridge_console.store.keys import STORE_VERSION, Keys
from gitbridge_console.store.legacy import LegacyStore, legacy_warnings
from gitbridge_console.store.metrics import Metrics
from gitbridge_console.store.metrics_history import MetricsHistory
from gitbridge_console.store.outbox import OutboxStore
from gitbridge_console.store.outcomes import OutcomeStore
from gitbridge_console.store.progress import ProgressStore
from gitbridge_console.store.provider_board import ProviderBoard
from gitbridge_console.store.quarantine import QuarantineStore
from gitbridge_console.store.rate_limits import RateLimitStore
from gitbridge_console.store.reader import EventReader
from gitbridge_console.store.receivers import ReceiverRegistry
from gitbridge_console.store.reconcile_store import ReconcileStore
from gitbridge_console.store.replies import text_of
from gitbridge_console.store.restoration import RestoreStore
from gitbridge_console.store.saved_filters import SavedFilters
from gitbridge_console.store.server_watch import ServerWatch
from gitbridge_console.store.standing_claims import STANDING_MAX, StandingClaims
from gitbridge_console.store.trouble import StoreTrouble
from gitbridge_console.store.wakeups import Wakeups


class Store:
    """The rooms of one open store."""

    def __init__(self, connection: StoreConnection, settings: Settings) -> None:
        self.connection = connection
        self.keys = Keys(settings.namespace)
        self.client = connection.client
        self.disk = DiskWait(settings.redis.durability, socket_timeout_s=settings.redis.socket_timeout_s)
        self.queue = RedisEventQueue(
            self.client,
            self.keys,
            queue=settings.queue,
            retry=settings.retry,
            retention=settings.retention,
            shedding=settings.shedding,
            server_major=connection.info.major,
            disk=self.disk,
        )
        keys = [partition.keys for partition in self.queue.partitions]
        self.reader = EventReader(self.client, *keys)
        self.records = EventRecords(self.client, keys, self.reader)
        self.dead_letters = DeadLetterStore(self.client, keys, server_major=connection.info.major)
        self.quarantine = QuarantineStore(self.client, self.keys)
        writes = BoundedWrites(self.client, connection.info.major)
        self.journal = AuditJournal(self.client, self.keys, keep=lambda: self.queue.retention.audit_max, writes=writes, disk=self.disk)
        self.backup = BackupStore(self.client, self.keys, self.queue.partitions)
        self.restoration = RestoreStore(self.client, self.keys, self.queue.partitions, writes)
        self.bulk = BulkStore(self.client, self.queue.partitions, writes)
        self.filters = SavedFilters(self.client, self.keys)
        self.alerts = AlertStore(self.client, self.keys, writes)
        self.event_log = EventLog(self.client, keys, writes=writes)
        self.fleet = FleetRegistry(self.client, self.keys, writes=writes)
        self.reconcile = ReconcileStore(self.client, keys, writes=writes)
        self.inbox = InboxBoard(self.client, self.keys, writes=writes)
        self.receivers = ReceiverRegistry(self.client, self.keys, writes=writes)
        self.providers = ProviderBoard(self.client, self.keys, writes=writes)
        self.budgets = BudgetStore(self.client, self.keys, writes=writes)
        self.batches = BatchStore(self.client, self.keys, writes=writes)
        self.answers = AnswerCacheStore(self.client, self.keys.cache)
        self.diffs = AnswerCacheStore(self.client, self.keys.diffs)
        self.outbox = OutboxStore(self.client, self.queue.partitions)
        self.github = HostBoard(self.client, self.keys, "github", writes=writes)
        self.progress = ProgressStore(self.client, self.keys, "github", writes=writes)
        self.outcomes = OutcomeStore(self.client, self.keys, writes=writes)
        self.rate_limits = RateLimitStore(self.keys, writes)
        self.attempts = AttemptLog(self.client, self.keys, writes)
        self.metrics = Metrics(self.client, settings.namespace, keep_s=settings.retention.metrics_s, writes=writes, attempts=self.attempts)
        self.history = MetricsHistory(self.client, settings.namespace)
        self.server = ServerWatch(self.client, settings.redis.durability, also=legacy_warnings(settings.redis.url, settings.legacy))
        if len(keys) == 1 and cluster_of(self.client) is None:
            # In a Cluster a connection is bound to no server, and several partitions have no one list to wait at.
            waiting = connection.new_client(max_connections=STANDING_MAX, socket_timeout_s=None)
            self.queue.standing = StandingClaims(waiting, self.queue.partitions[0], settings.redis.socket_timeout_s)
        self.wakeups = Wakeups(connection.new_client(socket_timeout_s=None), *keys, lanes=self.queue.standing is None)
        self.trouble = StoreTrouble()

    @property
    def shown_url(self) -> str:
        """Where the store is, fit to be shown: ``unix`` for the embedded one, else the URL without its password."""
        return "unix" if self.connection.embedded is not None else self.connection.shown_url

    async def heal(self) -> None:
        """Start the embedded server again if it died. Outside servers are their operator's business.

        Raises:
            StoreUnavailable: it does not come up.
        """
        if self.connection.embedded is not None:
            await self.connection.embedded.ensure()

    async def claim_version(self) -> None:
        """Mark a new store with this layout's version and number of partitions, refuse one with others.

        Raises:
            StoreUnavailable: the store was written by an incompatible version, or is divided otherwise.
        """
        parts = len(self.queue.partitions)
        found, divided = await self._marks()
        if not found:
            # Only for a new store: at the memory limit the server refuses even this, and a console must open there.
            async with self.client.pipeline(transaction=True) as pipe:
                pipe.hsetnx(self.keys.meta, "store_version", str(STORE_VERSION))
                pipe.hsetnx(self.keys.meta, "partitions", str(parts))
                await pipe.execute()
            found, divided = await self._marks()
        if divided != str(parts):
            raise StoreUnavailable(
                f"namespace {self.keys.namespace} has {divided} partitions, queue.partitions is {parts}: "
                "the number is fixed when a store is first used; set it back, or use another namespace"
            )
        if found != str(STORE_VERSION):
            raise StoreUnavailable(
                f"namespace {self.keys.namespace} has store version {found}, this program reads {STORE_VERSION}: "
                "use the matching version of GitBridge Console"
            )

    async def aclose(self) -> None:
        """Close the connections on which something is waited for; the others are those of whoever made them."""
        await self.wakeups.aclose()
        if self.queue.standing is not None:
            await self.queue.standing.aclose()

    async def _marks(self) -> tuple[str, str]:
        """Version and number of partitions as marked; stores from before there were partitions have one."""
        version, partitions = await self.client.hmget(self.keys.meta, "store_version", "partitions")
        return text_of(version), text_of(partitions) or "1"


@asynccontextmanager
async def open_store(settings: Settings, state_dir: Path) -> AsyncIterator[Store]:
    """The store of the settings, ready for use; the embedded one is started or joined as needed.

    Raises:
        StoreUnavailable: it is away, unsuitable, or of another version; one line, without secrets.
    """
    async with connect(settings.redis, state_dir) as connection:
        store = Store(connection, settings)
        try:
            await store.claim_version()
            yield store
        finally:
            await store.aclose()


@asynccontextmanager
async def open_legacy(settings: Settings, store: Store) -> AsyncIterator[LegacyStore]:
    """The legacy list: on the server of its own URL, or else on the store's."""
    own = make_client(settings.redis, settings.legacy.url) if settings.legacy.url else None
    try:
        yield LegacyStore(own or store.client, settings.legacy)
    finally:
        if own is not None:
            await own.aclose()
