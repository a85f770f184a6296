"""Makes tests/testdata/preprocessing.json: tiny data, and what the reference tasks' own functions make of them.

    python3 scripts/preprocessing_fixtures.py DATA > tests/testdata/preprocessing.json

DATA holds reference/reference.py.
"""
import json, os, sys, unicodedata
import numpy as np

sys.path.insert(0, os.path.join(sys.argv[1], 'reference'))
sys.dont_write_bytecode = True
from reference import classes, encode, every_fifth, standardise, tokens, windows  # noqa: E402

flat = lambda arrays: [float(v) for a in arrays for v in np.asarray(a).ravel()]
rng = np.random.default_rng(1)


def series(patch):
    make = lambda n: [np.round(rng.normal(3, 2, (int(rng.integers(2 * patch, 4 * patch)), 2)), 3).astype(np.float32) for _ in range(n)]
    xs, xt, ys, yt = make(5), make(3), ['10', '9', 'b', 'B', '9'], ['B', '9', '10']
    raw = [[x.tolist() for x in part] for part in (xs, xt)]
    a, b, names = classes(ys, yt)
    if patch > 1:
        xs, xt = ([x[:len(x) // patch * patch].reshape(-1, patch * 2) for x in part] for part in (xs, xt))
    xs, xt = standardise(xs, xt)
    return dict(patch=patch, train=raw[0], test=raw[1], labels=[ys, yt], names=names, classes=[a, b], x=[flat(xs), flat(xt)],
                lengths=[[len(x) for x in part] for part in (xs, xt)])


def names():
    keep = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ .,;'"
    raw = ["O'Néàl ", 'Ślusàrski', 'Abl', 'Müller-Çelik', 'Ng', 'Żółć', 'Łukasz, jr.', 'van der Berg', 'Ó', 'Bea', "D'Ángelo"]
    lines = [''.join(c for c in unicodedata.normalize('NFD', s.strip()) if c in keep) for s in raw]
    train, test = every_fifth(lines)
    xs, xt, vocab = encode([list(s) for s in train], [list(s) for s in test], 7)
    return dict(texts=raw, maxLength=7, minCount=1, unit='characters', x=[flat(xs), flat(xt)], lengths=[[len(x) for x in xs], [len(x) for x in xt]], vocab=vocab)


def sentiment():
    raw = ["It's the best, the BEST phone!", 'Not good; not bad... 10/10?', 'The café was naïve', '!!!', "The phone isn't good", 'Bad bad phone 10 times']
    train, test = every_fifth([tokens(s) for s in raw])
    xs, xt, vocab = encode(train, test, 4, min_count=2)
    return dict(texts=raw, maxLength=4, minCount=2, unit='words', x=[flat(xs), flat(xt)], lengths=[[len(x) for x in xs], [len(x) for x in xt]], vocab=vocab)


def airline(raw):
    d = np.diff(np.log(raw))
    mean, sd = d[:11].mean(), d[:11].std()
    z = ((d - mean) / sd).astype(np.float32)
    parts = windows(z[:, None], z, 3, 1, 0, 11), windows(z[:, None], z, 3, 1, 11, len(z))
    out = np.float32(0.25)
    return dict(options=dict(window=3, transform='logDifference'), rows=[[0, 12], [12, 18]], x=[flat(p[0]) for p in parts], y=[flat(p[1]) for p in parts],
                output=float(out), decoded=[float(v) for v in raw[11:-1] * np.exp(float(out) * sd + mean)])


def temperatures(raw):
    mean, sd = raw[:12].mean(), raw[:12].std()
    z = ((raw - mean) / sd).astype(np.float32)
    parts = windows(z[:, None], z, 4, 1, 0, 12), windows(z[:, None], z, 4, 1, 12, len(z))
    return dict(options=dict(window=4), rows=[[0, 12], [12, 18]], x=[flat(p[0]) for p in parts], y=[flat(p[1]) for p in parts],
                output=0.25, decoded=[float(0.25 * sd + mean)] * 6)


def etth1(raw):
    z = ((raw - raw[:10].mean()) / raw[:10].std()).astype(np.float32)

    def centred(first, last):
        xs, ys = windows(z[:, None], z, 4, 2, first, last)
        return [x - x[-1] for x in xs], ys - np.array([x[-1] for x in xs])
    parts = centred(0, 10), centred(12, 18)
    return dict(options=dict(window=4, horizon=2, center=True), rows=[[0, 10], [12, 18]], x=[flat(p[0]) for p in parts], y=[flat(p[1]) for p in parts],
                output=0.25, decoded=[float((0.25 + z[t - 1]) * raw[:10].std() + raw[:10].mean()) for t in range(12, 17) for _ in range(2)])


raw = np.array([112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149], float)
print(json.dumps(dict(series=[series(1), series(3)], texts=[names(), sentiment()], table=raw.tolist(),
                      forecasts=[airline(raw), temperatures(raw), etth1(raw)])))
