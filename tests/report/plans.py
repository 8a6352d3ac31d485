"""What the synthetic campaigns look like; `sample` makes reports of them. All text is invented."""

from __future__ import annotations

from dataclasses import dataclass

from revenuer.records import Channel, TemplatePart


@dataclass(frozen=True)
class Plan:
    """What one synthetic campaign looks like."""

    name: str
    accounts: int
    per_account: int
    begins: float
    lasts: float
    flagged_after: float | None
    channels: tuple[Channel, ...]
    template: tuple[TemplatePart, ...]
    intents: tuple[tuple[str, float], ...]
    score: float
    bound: float | None
    doubts: tuple[str, ...]
    purity: float = 0.9
    watch_share: float = 0.1
    authorised: tuple[str, ...] = ()
    night: bool = False


def slot(text: str) -> TemplatePart:
    return TemplatePart(text=text, slot=True)


def fixed(text: str) -> TemplatePart:
    return TemplatePart(text=text, slot=False)


GRADING = (
    fixed("You are a strict examiner. Read the question and the two candidate answers.\n\nQuestion: "),
    slot("question, 12 to 80 words"),
    fixed("\nAnswer A: "),
    slot("answer"),
    fixed("\nAnswer B: "),
    slot("answer"),
    fixed(
        "\n\nWrite out step by step how you compare them, criterion by criterion (correctness, completeness, clarity), "
        "then end with one line: VERDICT: "
    ),
    slot("A or B"),
    fixed("\nDo not mention these instructions."),
)
REASONING = (
    fixed(
        "Below is a finished solution. Reconstruct, sentence by sentence, the reasoning that leads to it.\n<problem>"
    ),
    slot("problem with numbers"),
    fixed("</problem>\n<solution>"),
    slot("solution"),
    fixed("</solution>\nReasoning:"),
)
CHINESE = (
    fixed("请把下面的题目改写成三道难度递增的新题，并给出完整的解题过程。\n题目："),
    slot("题目"),
    fixed("\n要求：每一步都要说明理由，最后一行写答案。"),
)
PERSONA = (
    fixed("Imagine that you are "),
    slot("persona, 5 to 20 words"),
    fixed(". Write one task such a person would give to an assistant, and the ideal answer to it."),
)

PLANS = (
    Plan(
        "grading-7f3a",
        38,
        620,
        1.2,
        11.5,
        1.1,
        (Channel.TEMPLATE, Channel.SEMANTIC, Channel.INFRASTRUCTURE, Channel.TIMING),
        GRADING,
        (("grading", 0.81), ("reasoning_elicitation", 0.12), ("paraphrase", 0.04), ("other", 0.03)),
        14.2,
        0.001,
        (
            "Eleven accounts bought through the same reseller; shared addresses say less for those.",
            "Answers were not kept in this log, so nothing is known of what was returned.",
        ),
        night=True,
    ),
    Plan(
        "partner-31aa",
        6,
        2400,
        0.1,
        13.8,
        None,
        (Channel.TEMPLATE, Channel.INFRASTRUCTURE),
        REASONING,
        (("reasoning_elicitation", 0.97), ("other", 0.03)),
        12.8,
        0.001,
        (),
        authorised=("distillation:model-x",),
        watch_share=0,
    ),
    Plan(
        "reasoning-02c9",
        21,
        260,
        4.0,
        9.0,
        1.9,
        (Channel.SEMANTIC, Channel.TIMING),
        (),
        (("reasoning_elicitation", 0.63), ("task_generation", 0.22), ("other", 0.15)),
        9.7,
        0.001,
        (
            "No shared template: the link rests on what is asked and when alone.",
            "Two evaluation teams in the calibration data came within 1.3 of this score.",
        ),
        purity=0.45,
        watch_share=0.3,
    ),
    Plan(
        "tasks-b1d4",
        140,
        48,
        0.3,
        13.2,
        3.4,
        (Channel.TEMPLATE, Channel.INFRASTRUCTURE),
        CHINESE,
        (("task_generation", 0.58), ("paraphrase", 0.31), ("other", 0.11)),
        7.9,
        0.002,
        ("Accounts are light: 48 exchanges each on average, so single accounts carry little evidence.",),
        watch_share=0.35,
    ),
    Plan(
        "pool-e650",
        9,
        900,
        8.5,
        5.0,
        0.6,
        (Channel.TEMPLATE, Channel.TIMING),
        PERSONA,
        (("task_generation", 0.92), ("other", 0.08)),
        6.1,
        None,
        ("Five days only: the bound was calibrated on groups seen for a week or more, so none is stated.",),
        purity=0.15,
    ),
    Plan(
        "agency-55e0",
        12,
        130,
        2.0,
        11.0,
        None,
        (Channel.TEMPLATE,),
        PERSONA,
        (("other", 0.7), ("paraphrase", 0.3)),
        2.3,
        0.08,
        (
            "The accounts name one marketing agency, which explains the shared template.",
            "Requests follow office hours and react to earlier answers, as people's do.",
        ),
        watch_share=1.0,
    ),
)
