"""Checks before an upload: bad files are refused where they are bad, and a file's tokens are those that were priced."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_training_files import LABELS, SMALL, jobs, study, weights

from avowal.cost import quote
from avowal.errors import InputError
from avowal.prompts import training_line
from avowal.study.parity import check_parity, parity
from avowal.study.training_checks import check
from avowal.study.training_files import TrainingFile, build, validation
from avowal.tokens import count

MODEL = "gpt-4o-2024-08-06"


def line(user="u", answer="A", roles=("system", "user", "assistant")):
    messages = [{"role": role, "content": text} for role, text in zip(roles, ("s", user, answer), strict=True)]
    return json.dumps({"messages": messages})


def many(*more, count=10, answers="AB"):
    return "\n".join([line(f"u{i}", answers[i % len(answers)]) for i in range(count)] + list(more))


@pytest.mark.parametrize("role", ["weights", "introspection_first", "introspection_last", "introspection_all"])
@pytest.mark.parametrize("encoding", ["o200k_base", "cl100k_base"])
def test_a_studys_files_pass_with_the_tokens_that_were_priced(role, encoding):
    asked = study(SMALL.replace("trained = 12", "trained = 22") + LABELS)
    for (own, _), job in jobs(asked).items():
        if own != role:
            continue
        found = check(build(job, asked, weights(asked)).text, job.sends.kind, encoding=encoding)
        assert found.identical == 0
        if encoding == "o200k_base":
            item = quote([job.sends], [MODEL], seed=asked.seed).items[0]
            assert (found.tokens * 3, found.lines) == (item.input_tokens, item.requests)
            assert found.price(MODEL, 3) == item.price > Decimal(0)
        assert (found.share_of_a is None) == (own != "weights")
        assert found.warnings == ()


def test_a_file_that_leaves_contexts_out_has_fewer_tokens_than_priced():
    asked = study()
    job = jobs(asked)["introspection_all", "learned"]
    gone = weights(asked).filter(weights(asked)["context"] != asked.trained[0].name)
    found = check(build(job, asked, gone).text, "reports")
    assert found.lines == 11
    assert found.tokens < quote([job.sends], [MODEL], seed=asked.seed).items[0].input_tokens / 3


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("", "decisions", "training file: expected 10 lines or more, found 0"),
        (many(count=9), "decisions", "10 lines or more, found 9"),
        (many("{"), "decisions", "line 11: expected JSON"),
        (many("[]"), "decisions", "line 11: expected an object with messages alone"),
        (many('{"messages": [], "weight": 1}'), "decisions", "line 11: expected an object with messages alone"),
        (many(""), "decisions", "line 11: expected JSON"),
        (many('{"messages": []}'), "decisions", "line 11: expected messages of system, user, assistant"),
        (many(line(roles=("user", "system", "assistant"))), "decisions", "line 11: expected messages of system, user"),
        (many(line(roles=("system", "assistant", "user"))), "decisions", "line 11: expected messages of system, user"),
        (many(line(user=" ")), "decisions", "line 11: expected user with a text"),
        (many(line(user=3)), "decisions", "line 11: expected user with a text"),
        (many(line(answer="")), "decisions", "line 11: expected assistant with a text"),
        (many(line(answer="a")), "decisions", "line 11: expected A or B, found 'a'"),
        (many(line(answer="A ")), "decisions", "line 11: expected A or B"),
        (many(line("u3", "A")), "decisions", "line 11: expected one answer to one prompt, found 'B' in line 4 and 'A'"),
        (many(answers="A"), "decisions", "decisions of both letters, found A alone"),
        (many(answers="B"), "decisions", "decisions of both letters, found B alone"),
        (many(), "reports", "line 1: expected a JSON object of finite numbers"),
        (many(line(answer='{"x": true}'), answers=['{"x": 1}']), "reports", "line 11: expected a JSON object"),
        (many(line(answer='{"x": NaN}'), answers=['{"x": 1}']), "reports", "line 11: expected a JSON object"),
        (many(line(answer="{}"), answers=['{"x": 1}']), "reports", "line 11: expected a JSON object"),
        (many(line("word " * 66_000, "A")), "decisions", "line 11: expected 65,536 tokens at most, found 66,0"),
    ],
)
def test_what_a_job_would_refuse_or_misread_is_refused(text, kind, told):
    with pytest.raises(InputError, match=told):
        check(text, kind)


def test_what_may_not_be_meant_is_said():
    found = check(many(line("u0", "A"), line("u0", "A")), "decisions")
    assert (found.identical, found.lines, found.share_of_a) == (2, 12, 7 / 12)
    assert found.warnings == ("training file: 2 lines occur before, word for word.",)
    assert "20% of the decisions are A" in check(many(answers="ABBBB"), "decisions", file="f").warnings[0]
    assert check(many(count=100, answers="A" * 35 + "B" * 65), "decisions").warnings == ()


@given(st.lists(st.sampled_from("AB"), min_size=10, max_size=30))
def test_tokens_are_those_of_each_message(answers):
    text = "\n".join(line(f"u{i}", answer) for i, answer in enumerate(answers))
    if len(set(answers)) == 1:
        return
    each = [
        3 + 3 * 3 + sum(map(count, ("system", "s", "user", f"u{i}", "assistant", a))) for i, a in enumerate(answers)
    ]
    assert check(text, "decisions").tokens == sum(each)


def test_requests_differ_from_training_in_values_alone():
    asked = study(SMALL + "decide_again = true\n" + LABELS)
    found = jobs(asked)
    # Decisions, 12 x 6 and 4 x 5, and again behind each of three labels.
    assert check_parity(build(found["weights", None], asked), found["weights", None], asked) == 92 * 4
    assert check_parity(
        build(found["introspection_first", "shuffled"], asked), found["introspection_first", "shuffled"], asked
    ) == (6 * 8)
    held_out = found["introspection_all", "learned"]
    gone = weights(asked).filter(weights(asked)["context"] != asked.trained[0].name)
    assert check_parity(build(held_out, asked, gone), held_out, asked) == 4 * 8


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("Never respond", "Do not respond"), "message 1: expected the text of the training"),
        (("hypothetical ", ""), "message 0: expected the text of the training"),
        (("\\nA:", "\\nOption A:"), "message 1"),
    ],
)
def test_a_file_whose_text_differs_is_refused_with_the_difference(change, told):
    asked = study()
    job = jobs(asked)["weights", None]
    file = build(job, asked)
    with pytest.raises(InputError, match=told):
        check_parity(replace(file, lines=tuple(line.replace(*change) for line in file.lines)), job, asked)
    # One line that isn't like the others of its context.
    odd = (*file.lines[:5], file.lines[5].replace(*change), *file.lines[6:])
    with pytest.raises(InputError, match=told):
        check_parity(replace(file, lines=odd), job, asked)


def test_a_file_of_another_size_is_refused():
    asked = study()
    job = jobs(asked)["weights", None]
    with pytest.raises(InputError, match="a training file of 144 lines, found 143"):
        check_parity(TrainingFile(build(job, asked).lines[1:]), job, asked)
    with pytest.raises(InputError, match="a training file of 144 lines, found 36"):
        check_parity(validation(job, asked), job, asked)


def test_roles_and_messages_must_be_those_of_the_training():
    asked = study()
    context = asked.trained[0]
    one, other = json.loads(training_line([{"role": "user", "content": "x"}], "A"))["messages"]
    with pytest.raises(InputError, match="the role of the training, user, found assistant"):
        parity([one], context, [other], context)
    with pytest.raises(InputError, match="expected 1 messages, found 2"):
        parity([one], context, [one, other], context)


def test_a_marker_that_training_never_shows_is_no_difference_and_one_that_it_shows_is_held_to():
    more = SMALL + '[[condition]]\nname = "x"\nmarker = "It rains."\neffect = "flip"\n'
    asked = study(more + '[[condition]]\nname = "y"\nmarker = "It snows."\neffect = "replace"\n')
    found = jobs(asked)
    # Reports on six contexts held out, eight each, without a marker and with two.
    reports = found["introspection_first", "targets"]
    assert check_parity(build(reports, asked), reports, asked) == 6 * 8 * 3
    decisions = found["weights", None]
    file = build(decisions, asked)
    assert check_parity(file, decisions, asked) == 12 * 6 * 3 + 4 * 5
    changed = replace(file, lines=tuple(line.replace("It snows.", "It hails.") for line in file.lines))
    with pytest.raises(InputError, match=r"It hails.*It snows"):
        check_parity(changed, decisions, asked)
