UNIT = "cases"


def check(rng, place):
    return 0
