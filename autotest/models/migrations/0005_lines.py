"""The line of a label queue in order of service (higher priority first, then older), as the index has it."""

NAME = "hostqueueentry_status_active_queue_key_priority_id"
COLUMNS = ("status", "active", "queue_key", "priority", "id")
CREATE = f"CREATE INDEX {NAME} ON afe_host_queue_entries (status, active, queue_key, priority DESC, id)"


def up(migrator, db):
    migrator.migrate(migrator.drop_index("afe_host_queue_entries", NAME))
    db.execute_sql(CREATE)


def down(migrator, db):
    migrator.migrate(migrator.drop_index("afe_host_queue_entries", NAME))
    migrator.migrate(migrator.add_index("afe_host_queue_entries", COLUMNS, name=NAME))
