"""Indexes for questions over a million results: the last builds, the history of a test; one saved question a name."""

BY_BUILD = (
    ("build_version", "started_time"),
    ("suite", "build_version", "started_time"),
    ("board", "build_version", "started_time"),
    ("board", "suite", "build_version", "started_time"),
)
BY_TEST = ("test", "finished_time")
BY_OWNER = ("owner", "name")

# Saved twice under one name, the last one counts.
LAST_SAVED = (
    "DELETE FROM tko_saved_queries WHERE id NOT IN (SELECT newest FROM "
    "(SELECT MAX(id) AS newest FROM tko_saved_queries GROUP BY owner, name) AS kept)"
)


def up(migrator, db):
    for columns in BY_BUILD:
        migrator.migrate(migrator.add_index("tko_jobs", columns, name=f"tkojob_{'_'.join(columns)}"))
    migrator.migrate(migrator.add_index("tko_tests", BY_TEST, name="testresult_test_finished_time"))
    migrator.migrate(migrator.drop_index("tko_tests", "testresult_test"))
    db.execute_sql(LAST_SAVED)
    migrator.migrate(migrator.add_index("tko_saved_queries", BY_OWNER, unique=True, name="savedquery_owner_name"))


def down(migrator, db):
    migrator.migrate(migrator.drop_index("tko_saved_queries", "savedquery_owner_name"))
    migrator.migrate(migrator.add_index("tko_tests", ("test",), name="testresult_test"))
    migrator.migrate(migrator.drop_index("tko_tests", "testresult_test_finished_time"))
    for columns in BY_BUILD:
        migrator.migrate(migrator.drop_index("tko_jobs", f"tkojob_{'_'.join(columns)}"))
