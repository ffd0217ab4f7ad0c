import unittest

from spans import days, merge


class Merge(unittest.TestCase):
    def test_apart(self):
        self.assertEqual(merge([[7, 9], [1, 3]]), [[1, 3], [7, 9]])

    def test_overlapping(self):
        self.assertEqual(merge([[1, 5], [3, 8]]), [[1, 8]])

    def test_one_inside_another(self):
        self.assertEqual(merge([[1, 9], [3, 4]]), [[1, 9]])

    def test_next_to_each_other(self):
        self.assertEqual(merge([[1, 3], [4, 6]]), [[1, 6]])

    def test_the_input_is_left_alone(self):
        spans = [[1, 3], [2, 5]]
        merge(spans)
        self.assertEqual(spans, [[1, 3], [2, 5]])


class Days(unittest.TestCase):
    def test_one_day(self):
        self.assertEqual(days([[4, 4]]), 1)

    def test_a_day_counts_once(self):
        self.assertEqual(days([[1, 5], [3, 8]]), 8)


if __name__ == "__main__":
    unittest.main()
