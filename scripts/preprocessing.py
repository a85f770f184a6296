"""Writes what the reference tasks prepare, for scripts/preprocessing.ts to compare.

    python3 scripts/preprocessing.py DATA OUT

DATA holds reference/tasks.py; OUT gets, for each task and part, x (valid steps alone, one sequence after the other),
lengths and y as little-endian arrays.
"""
import os, sys
import numpy as np

data, out = sys.argv[1:3]
sys.path.insert(0, os.path.join(data, 'reference'))
sys.dont_write_bytecode = True
from tasks import TASKS  # noqa: E402

for name, load in TASKS.items():
    task = load()
    for part in ('train', 'test'):
        xs, ys = task[part]
        kind = np.int32 if task.get('vocab') else np.float32
        x = np.concatenate([np.asarray(x, kind).ravel() for x in xs])
        y = np.asarray(ys, np.float32 if task['kind'] == 'forecast' else np.int32).ravel()
        for what, array in (('x', x), ('lengths', np.array([len(x) for x in xs], np.int32)), ('y', y)):
            array.tofile(os.path.join(out, f'{name}.{part}.{what}'))
    with open(os.path.join(out, f'{name}.json'), 'w') as file:
        file.write('{"vocab": %d}' % task.get('vocab', 0))
