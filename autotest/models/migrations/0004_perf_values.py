"""What tests measured in charts and perf_measurements, beside the numbers of their iterations."""

from peewee import AutoField, BooleanField, CharField, DoubleField, ForeignKeyField, IntegerField, Model


def up(migrator, db):
    class TestResult(Model):
        test_idx = AutoField()

        class Meta:
            database = db
            table_name = "tko_tests"

    class IterationPerfValue(Model):
        test = ForeignKeyField(TestResult, column_name="test_idx", on_delete="CASCADE")
        iteration = IntegerField(null=True)
        description = CharField(index=True, null=True, max_length=256)
        value = DoubleField(null=True)
        stddev = DoubleField(null=True)
        units = CharField(null=True, max_length=32)
        higher_is_better = BooleanField()
        graph = CharField(null=True, max_length=256)

        class Meta:
            database = db
            table_name = "tko_iteration_perf_value"
            primary_key = False

    db.create_tables([IterationPerfValue])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("tko_iteration_perf_value"))
