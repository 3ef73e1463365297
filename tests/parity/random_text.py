"""Random Unicode strings that try a tokenizer: mixed scripts, emoji, marks, spaces, digits, control and unassigned points."""

SCRIPTS = [(0x41, 0x5A), (0x61, 0x7A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x556), (0x5D0, 0x5EA), (0x620, 0x64A),
           (0x904, 0x939), (0xE01, 0xE3A), (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1E00, 0x1EFF), (0x3041, 0x30FF), (0x4E00, 0x9FFF),
           (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFF01, 0xFF5E), (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x20000, 0x2A6DF)]
MARKS = [(0x300, 0x36F), (0x591, 0x5BD), (0x64B, 0x65F), (0x93C, 0x94D), (0x1AB0, 0x1ABD), (0x20D0, 0x20F0), (0x1DC0, 0x1DF5)]
SPACES = [" ", " ", " ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\xa0", "\u1680", "\u180e", "\u2003",
          "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff"]
SIGNS = [(0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E), (0xA1, 0xBF), (0x2010, 0x205E), (0x20A0, 0x20BF), (0x2100, 0x23FF),
         (0x2460, 0x27BF), (0x3001, 0x303F)]
DIGITS = [(0x30, 0x39), (0x660, 0x669), (0x966, 0x96F), (0xFF10, 0xFF19), (0xB2, 0xB3), (0x2150, 0x2189), (0x1D7CE, 0x1D7FF), (0x1D2C0, 0x1D2D3)]
CONTROLS = [(0x01, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x202A, 0x202E), (0xE0001, 0xE007F), (0xFFF9, 0xFFFD), (0xE000, 0xE010)]
EMOJI = ["\U0001F600", "\U0001F468\u200d\U0001F469\u200d\U0001F467\u200d\U0001F466", "\U0001F44D\U0001F3FD", "\u2764\ufe0f", "\U0001F1E9\U0001F1EA",
         "\U0001F3F4\U000E0067\U000E0062\U000E007F", "1\ufe0f\u20e3"]
CONTRACTIONS = ["'s", "'T", "'re", "'VE", "'m", "'lL", "'d", "\u2019s", "'\u017f", "don't", "I'll", "we'd've", "''s", "'S'"]
WORDS = ["the", "defect", " Anomaly", "scratch", " The answer is B.", "normal", "inspection", "caf\u00e9", "na\u00efve", "Stra\u00dfe", "\u7f3a\u9677",
         "\u691c\u67fb", "\u0434\u0435\u0444\u0435\u043a\u0442", " (3,7)-(3,8)", "3.1415", "2026-11-21", "0x1F", "def f(x):\n    return x", "https://a.b/c?d=e", "\ufb01ne", "\u0130stanbul"]


def point(random, ranges):
    return chr(random.randint(*random.choice(ranges)))


def run(random, ranges, most):
    return "".join(point(random, ranges) for _ in range(random.randint(1, most)))


def anything(random):
    """Any scalar value but U+0000, assigned or not."""
    value = random.choice([random.randint(1, 0xFFFF), random.randint(1, 0x1FFFF), random.randint(1, 0x10FFFF)])
    return "\ue000" if 0xD800 <= value < 0xE000 else chr(value)


def piece(random, specials):
    kind = random.randrange(12)
    if kind == 0:
        span = [random.choice(SCRIPTS)]
        return run(random, span, 8)
    if kind == 1:
        return "".join(point(random, SCRIPTS) + run(random, MARKS, 3) for _ in range(random.randint(1, 4)))
    if kind == 2:
        return "".join(random.choice(SPACES) for _ in range(random.randint(1, 5)))
    if kind == 3:
        return run(random, SIGNS, 4)
    if kind == 4:
        return run(random, DIGITS[:1] if random.random() < 0.6 else DIGITS, 12)
    if kind == 5:
        return random.choice(EMOJI) * random.randint(1, 2)
    if kind == 6:
        return random.choice(CONTRACTIONS)
    if kind == 7 and specials:
        return random.choice(specials)
    if kind == 8:
        return point(random, CONTROLS)
    if kind == 9:
        return "".join(anything(random) for _ in range(random.randint(1, 3)))
    return random.choice(WORDS) + random.choice(["", " ", " "])


def draw_text(random, specials=(), most=12):
    """One string of up to `most` pieces; special tokens of `specials` are among them, whole or cut."""
    text = "".join(piece(random, specials) for _ in range(random.randint(0, most)))
    if specials and random.random() < 0.05:
        special = random.choice(specials)
        text += special[:random.randint(1, len(special))]
    return text
