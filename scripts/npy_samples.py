"""Writes tests/testdata/readers/*.npy and *.npz with NumPy: python3 scripts/npy_samples.py"""
import os
import numpy as np

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/testdata/readers/")
os.makedirs(folder, exist_ok=True)
x = np.array([[[1, 2, 3], [4, 5, 6]], [[-1, 0.5, np.nan], [7, 8, 9]]])  # (2, 2, 3)
labels = np.array(["a", "ç"])

for version, dtype in ((1, "<f4"), (2, ">f8"), (3, "<f2")):
    with open(f"{folder}version{version}.npy", "wb") as file:
        np.lib.format.write_array(file, x.astype(dtype), version=(version, 0))
for dtype in ("|b1", "|u1", "<i2", ">i4", "<i8", ">u8"):
    np.save(f"{folder}{dtype[1:]}.npy", np.arange(6).reshape(2, 3).astype(dtype))
np.save(f"{folder}labels.npy", labels)
np.save(f"{folder}fortran.npy", np.asfortranarray(x))
np.save(f"{folder}object.npy", np.array([[1, None]], dtype=object), allow_pickle=True)
np.savez(f"{folder}stored.npz", x=x.astype("f4"), y=np.array([[0.5, 1], [2, 3]]), lengths=np.array([2, 1]))
np.savez_compressed(f"{folder}packed.npz", X=np.zeros((2, 50), "f4"), Y=labels)
