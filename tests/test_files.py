"""Lines of JSON that survive a kill."""

from equipoise.files import append_json_line, read_json_lines


def test_a_line_cut_short_is_passed_over_and_replaced(tmp_path):
    path = tmp_path / "lines.jsonl"
    assert read_json_lines(path) == []
    append_json_line(path, {"a": 1})
    with path.open("a") as file:
        file.write('{"b":')
    assert read_json_lines(path) == [{"a": 1}]
    append_json_line(path, {"c": "é\u2028"})
    assert read_json_lines(path) == [{"a": 1}, {"c": "é\u2028"}]
    assert path.read_bytes().count(b"\n") == 2
