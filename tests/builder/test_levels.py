"""A function for each level of cores, and what chooses among them."""

from __future__ import annotations

from builder.levels import for_levels

PLAIN = "static int32_t other(int8_t* x) {\n  return 0;\n}\n"
ASKS = "static int32_t kernel(const int8_t* x, int8_t* y) {\n  return work(RUNE_LEVEL(), x, y);\n}\n"


def test_a_function_that_does_not_ask_is_left_alone() -> None:
    assert for_levels(PLAIN) == PLAIN


def test_one_that_asks_becomes_three_and_a_choice() -> None:
    source = for_levels(ASKS)
    assert "RUNE_LEVEL()" not in source
    for way, level in {"single": "SINGLE", "sums": "SUMS", "dsp": "DSP"}.items():
        assert f"static int32_t kernel_{way}(const int8_t* x, int8_t* y) {{" in source
        assert f"  return work(RUNE_LEVEL_{level}, x, y);" in source
    (choice,) = (line for line in source.splitlines() if line.startswith("#define"))
    assert choice.startswith(
        "#define kernel(x, y) (rune_core_level() == RUNE_LEVEL_DSP ? kernel_dsp(x, y) : "
    )


def test_only_the_way_with_dsp_instructions_may_grow_its_caller() -> None:
    heads = [line for line in for_levels(ASKS).splitlines() if "static" in line]
    assert [("noinline" in head, "kernel_dsp" in head) for head in heads].count((True, False)) == 2
    assert [("noinline" in head, "kernel_dsp" in head) for head in heads].count((False, True)) == 1
