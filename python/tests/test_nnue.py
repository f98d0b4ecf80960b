"""The module against the committed example, the command line, and real torch where it is at hand: `python -m unittest discover python/tests`."""

import hashlib
import os
import pathlib
import tempfile
import unittest

import numpy as np

import nnue

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "quickstart" / "random.nnue"
POSITIONS = ROOT / "examples" / "quickstart" / "positions.fen"
START = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"


class Module(unittest.TestCase):
    def setUp(self):
        self.net = nnue.open(EXAMPLE)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_facts(self):
        self.assertEqual((self.net.architecture, self.net.l1, self.net.features), ("SFNNv5", 32, "HalfKAv2_hm"))
        self.assertIn("SFNNv9", self.net.candidates)
        self.assertEqual(repr(self.net), "<nnue.Net SFNNv5, HalfKAv2_hm, L1=32 L2=15 L3=32>")

    def test_what_is_written_is_what_was_read(self):
        written = self.net.write(self.folder / "copy.nnue")
        self.assertEqual((self.folder / "copy.nnue").read_bytes(), EXAMPLE.read_bytes())
        self.assertEqual(written.sha256, hashlib.sha256(EXAMPLE.read_bytes()).hexdigest())
        self.assertEqual(written.name, f"nn-{written.sha256[:12]}.nnue")
        self.assertEqual(nnue.open(self.folder / "copy.nnue"), self.net)

    def test_tensors_are_those_of_the_file(self):
        self.net.write(self.folder / "plain.nnue", compression="none")
        data = (self.folder / "plain.nnue").read_bytes()
        tensors = self.net.tensors()
        bias, weight = tensors["ft.bias"], tensors["ft.weight"]
        self.assertEqual((bias.dtype, bias.shape, weight.dtype, weight.shape), (np.int16, (32,), np.int16, (22528, 32)))
        # Behind version, hash, length of the description, description, hash of the transformer.
        at = 16 + int.from_bytes(data[8:12], "little")
        self.assertEqual(data[at : at + 64], bias.tobytes())
        self.assertEqual(data[at + 64 : at + 64 + weight.nbytes], weight.tobytes())
        self.assertEqual(tensors["stack7.l1.weight"].shape, (16, 32))

    def test_tensors_go_back(self):
        tensors = self.net.tensors()
        self.assertEqual(self.net.with_tensors(tensors), self.net)
        tensors["ft.bias"][3] += 1
        changed = self.net.with_tensors({"ft.bias": tensors["ft.bias"]})
        self.assertNotEqual(changed, self.net)
        changed.write(self.folder / "changed.nnue")
        np.testing.assert_array_equal(nnue.open(self.folder / "changed.nnue").tensors()["ft.bias"], tensors["ft.bias"])
        # Neither its order in memory nor its byte order matters.
        turned = np.asfortranarray(tensors["ft.weight"]).astype(">i2")
        self.assertEqual(self.net.with_tensors({"ft.weight": turned}), self.net)
        with self.assertRaisesRegex(nnue.Error, "did you mean `ft.bias`"):
            self.net.with_tensors({"ft.bais": tensors["ft.bias"]})
        with self.assertRaisesRegex(nnue.Error, "float64"):
            self.net.with_tensors({"ft.bias": tensors["ft.bias"] * 1.0})

    def test_evaluations_are_the_command_lines(self):
        found = self.net.evaluate(START)
        # What `nnue eval examples/quickstart/random.nnue --fen …` prints.
        self.assertEqual(found, nnue.Evaluation(bucket=7, psqt=0, positional=-30653, value=-1915))
        self.assertEqual(found, self.net.evaluate_all([START, START])[1])
        with self.assertRaises(nnue.Error):
            self.net.evaluate("no position")

    def test_a_permutation_changes_no_evaluation(self):
        found = self.net.search([POSITIONS], 50)
        self.assertGreaterEqual(found.zero_after, found.zero_before)
        self.assertEqual(sorted(found.permutation), list(range(16)))
        permuted = self.net.permuted(found.permutation)
        self.assertEqual(permuted.evaluate(START), self.net.evaluate(START))
        nnue.write_permutation(self.folder / "order.npy", found.permutation)
        np.testing.assert_array_equal(np.load(self.folder / "order.npy"), found.permutation)
        np.testing.assert_array_equal(nnue.read_permutation(self.folder / "order.npy"), found.permutation)

    def test_floats_are_those_that_numpy_and_torch_read(self):
        self.net.export(self.folder / "net.npz", "npz")
        ours = nnue.read_tensors(self.folder / "net.npz")
        theirs = np.load(self.folder / "net.npz")
        for name, values in ours.items():
            np.testing.assert_array_equal(values, theirs[name])
        self.assertIn("input.weight", ours)
        back = nnue.open(self.folder / "net.npz")
        for name, values in back.tensors().items():
            np.testing.assert_array_equal(values, self.net.tensors()[name], name)
        try:
            import torch
        except ImportError:
            if os.environ.get("CI"):
                raise
            self.skipTest("torch is not at hand")
        torch.save({"state_dict": {name: torch.from_numpy(values) for name, values in ours.items()}}, self.folder / "net.ckpt")
        for name, values in nnue.read_tensors(self.folder / "net.ckpt").items():
            np.testing.assert_array_equal(values, ours[name])

    def test_errors_are_the_command_lines(self):
        with self.assertRaisesRegex(nnue.Error, "no-such-file"):
            nnue.open(self.folder / "no-such-file")
        with self.assertRaisesRegex(nnue.Error, "`SFNV9` is not an architecture; known: .*SFNNv9"):
            nnue.open(EXAMPLE, architecture="SFNV9")
        with self.assertRaises(nnue.Error):
            nnue.read_tensors(EXAMPLE)


if __name__ == "__main__":
    unittest.main()
