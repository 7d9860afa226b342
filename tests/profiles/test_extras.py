"""What a profile remembers beside its columns: only what was asked for, and only where all rows have it."""

import orjson
import pyarrow as pa
import pytest

from monitor_tasks.profiles.columns import Edges, TableProfile, add_up
from monitor_tasks.profiles.extras import Also
from monitor_tasks.profiles.rows import RowSample

TABLE = pa.table({"x": [0.5, 1.0, 1.0, None], "y": ["2026-01-31", "true", "b", "b"]})
EDGES = Edges.of(TABLE)
BOTH = Also(sample=3, correlations=True)

HEAD = '"rows":4,"edges":"ae5a0ebf7bdf8248ed0f8ef5ac0713f6a6ea9443609e4dc8cfdd1b48888cac58","columns":'
X = (
    '"missing":1,"kinds":{"Fractional":3},"not_finite":0,"total":["5",-1],"squares":["9",-2],'
    '"minimum":0.5,"maximum":1.0,"texts":{},"numbers":{"0.5":1,"1":2}'
)
Y = (
    '"missing":0,"kinds":{"Boolean":1,"String":3},"not_finite":0,"total":["0",0],"squares":["0",0],'
    '"minimum":null,"maximum":null,"texts":{"2026-01-31":1,"b":2,"true":1},"numbers":{}'
)
BINS = '"bins":{"filled":"oA==","width":1,"counts":"AQI="}', '"bins":{"filled":"","width":1,"counts":""}'
FIRST = f'{{"schema_version":1,{HEAD}{{"x":{{{X},"bins":{{"0":1,"2":2}}}},"y":{{{Y},"bins":{{}}}}}}}}'
SECOND = f'{{"schema_version":2,{HEAD}{{"x":{{{X},{BINS[0]}}},"y":{{{Y},{BINS[1]}}}}}}}'
COLUMNS = f'{{"x":{{{X},{BINS[0]},"formats":{{}}}},"y":{{{Y},{BINS[1]},"formats":{{"date":1,"text":2}}}}}}'
THIRD = f'{{"schema_version":3,{HEAD}{COLUMNS}'
EXTRAS = (
    ',"sample":{"k":3,"rows":4,"columns":["x","y"],'
    '"hashes":[3779942294943694748,8331394121691326787,11055151106162119284],"counts":[1,1,1],'
    '"cells":[["1","b"],["0.5","2026-01-31"],[null,"b"]]},'
    '"correlations":{"columns":["x"],"left_out":[],"rows":[[3]],"totals":[[4]],"squares":[[8]],"products":[[8]]}}'
)


@pytest.mark.parametrize("text", [FIRST, SECOND, THIRD + "}"])
def test_every_form_is_read(text: str) -> None:
    profile = TableProfile.of(TABLE, EDGES)
    assert TableProfile.from_json(text.encode()) == profile
    assert profile.to_json().decode() == THIRD + "}"


def test_what_was_asked_for_is_in_the_file() -> None:
    profile = TableProfile.of(TABLE, EDGES, BOTH)
    assert profile.to_json().decode() == THIRD + EXTRAS
    assert TableProfile.from_json(profile.to_json()) == profile


def test_formats_that_an_earlier_form_did_not_know_stay_fewer_than_the_texts() -> None:
    known = orjson.loads(SECOND)
    known["columns"]["y"]["texts"] = None
    column = TableProfile.from_json(orjson.dumps(known)).columns["y"]
    assert (column.formats, column.kinds["String"]) == ({}, 3)


def test_only_what_was_asked_for_is_remembered() -> None:
    asked = [Also(), Also(sample=3), Also(correlations=True), BOTH]
    profiles = [TableProfile.of(TABLE, EDGES, also) for also in asked]
    assert [profile.sample is not None for profile in profiles] == [False, True, False, True]
    assert [profile.correlations is not None for profile in profiles] == [False, False, True, True]
    assert len({profile.edges for profile in profiles}) == 1
    assert all(profile.columns == profiles[0].columns for profile in profiles)
    assert profiles[3].sample == RowSample.of(TABLE, 3)


def test_a_part_that_some_rows_lack_is_dropped_and_no_rows_lack_none() -> None:
    whole, bare = TableProfile.of(TABLE, EDGES, BOTH), TableProfile.of(TABLE, EDGES)
    for sum_ in (whole + bare, bare + whole, (whole + bare) + whole):
        assert (sum_.sample, sum_.correlations) == (None, None)
    empty = TABLE.slice(0, 0)
    for nothing in (TableProfile(), TableProfile.of(empty), TableProfile.of(empty, EDGES, BOTH)):
        assert (nothing + whole).to_json() == (whole + nothing).to_json() == whole.to_json()
    assert (TableProfile.of(empty, EDGES, BOTH) + bare).to_json() == bare.to_json()
    assert add_up([whole, whole]) == TableProfile.of(pa.concat_tables([TABLE] * 2), EDGES, BOTH)


def test_batches_are_remembered_as_their_table() -> None:
    batches = TABLE.to_batches(max_chunksize=1)
    assert TableProfile.of_batches(batches, EDGES, BOTH).to_json() == TableProfile.of(TABLE, EDGES, BOTH).to_json()
    nothing = TableProfile.of_batches([], EDGES, BOTH)
    assert nothing.sample == RowSample(3)
    assert nothing.correlations is not None
    assert not nothing.correlations.sums.any()


def test_a_sample_adds_up_across_tables_of_other_columns() -> None:
    one, two = pa.table({"a": [1, 1]}), pa.table({"b": ["x"]})
    sum_ = TableProfile.of(one, None, Also(9)) + TableProfile.of(two, None, Also(9))
    assert sum_.sample == RowSample.of(pa.table({"a": [1, 1, None], "b": [None, None, "x"]}), 9)
