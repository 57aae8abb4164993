"""The codes that recorded steps are written with: how an episode went on, and who acted."""

WENT_ON, TERMINATED, TRUNCATED, NOTHING = 0, 1, 2, 3
"""How a step left its episode. NOTHING marks the first step of a run, which no step came before."""

ORACLE_GAMMAS = (0.0, 0.5, 0.93, 0.994)
"""Discounts of the four oracles among the behaviours; the tag of an oracle is its index here."""

SHARES = (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.02, 0.03, 0.05)
"""How often each behaviour is drawn in the OmniRL paper's mixture, in the order of `behaviours`."""

TAG_ORACLE = 3
TAG_MODEL, TAG_Q, TAG_RANDOM, TAG_UNKNOWN = 4, 5, 6, 7
"""The tag of an action says who chose it. TAG_UNKNOWN is for hidden tags and an agent's own actions."""

TAGS, ENDINGS = 8, 4
"""The numbers of different tags and endings."""
