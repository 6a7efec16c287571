"""A pytest plugin for mutants: Hypothesis tries the same examples each time, and simplifies none.

To find the simplest example that fails takes most of the time where most mutants fail.
"""

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("mutants")
