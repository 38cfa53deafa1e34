"""Statistics of the instances of google-research/albert's create_pretraining_data.py, for tests/instances.rs.

    python tests/golden/instances/make.py CHECKOUT_OF_GOOGLE_RESEARCH_ALBERT

Needs TensorFlow 2 with numpy, sentencepiece and six. Documents are synthetic. The test generates them by the same rules.
"""

import collections
import json
import pathlib
import random
import sys

import numpy

sys.path.insert(0, sys.argv[1])
import create_pretraining_data as google

FIRST, STRIDE = 5, 2000
EPOCHS = 100


def places(documents, seed):
    state = seed

    def below(limit):
        nonlocal state
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        return (state >> 8) % limit

    return [[1 + below(40) for _ in range(1 + below(40))] for _ in range(documents)]


def starts_word(token):
    mixed = (token ^ token >> 7) * 2654435761 & 0xFFFFFFFF
    return token < FIRST or ((mixed ^ mixed >> 15) * 2246822519 & 0xFFFFFFFF) >> 16 < 39322


def tokens(lengths_of_documents):
    documents = []
    for number, lengths in enumerate(lengths_of_documents):
        at = FIRST + number * STRIDE
        document = []
        for length in lengths:
            document.append(["▁a" if starts_word(i) else "a" for i in range(at, at + length)])
            at += length
        documents.append(document)
    return documents


def statistics(documents, rng, **flags):
    for name, value in flags.items():
        setattr(google.FLAGS, name, value)
    count = length = swapped = predicted = short = 0
    runs, words = collections.Counter(), collections.Counter()
    for _ in range(EPOCHS):
        for number in range(len(documents)):
            for instance in google.create_instances_from_document(
                documents, number, 128, 0.1, 0.15, 20, ["▁a", "a"], rng
            ):
                original = list(instance.tokens)
                for at, label in zip(instance.masked_lm_positions, instance.masked_lm_labels):
                    original[at] = label
                count += 1
                length += len(original)
                short += len(original) < 128
                swapped += instance.is_random_next
                predicted += len(instance.masked_lm_positions)
                masked = set(instance.masked_lm_positions)
                # Counts the words in each run of masked tokens, and the pieces of each masked word.
                run = word = 0
                for at, token in enumerate(original + ["[SEP]"]):
                    if word and (at not in masked or token == "▁a"):
                        words[min(word, 5)] += 1
                        word = 0
                    if at not in masked:
                        runs[min(run, 7)] += run > 0
                        run = 0
                    else:
                        run += token == "▁a" or at - 1 not in masked
                        word += 1
    del runs[0]
    share = lambda counter: {str(k): counter[k] / counter.total() for k in sorted(counter)}
    return {
        "instances_per_epoch": count / EPOCHS,
        "mean_length": length / count,
        "short": short / count,
        "label_1": swapped / count,
        "predicted": predicted / length,
        "words_in_run": share(runs),
        "pieces_in_word": share(words),
    }


def main():
    google.FLAGS(["make.py", "--input_file=-", "--output_file=-", "--vocab_file=-", "--spm_model_file=-"])
    numpy.random.seed(1)
    documents = tokens(places(60, 2))
    out = {
        "sentence_order": statistics(documents, random.Random(1)),
        "next_sentence": statistics(documents, random.Random(2), random_next_sentence=True),
    }
    path = pathlib.Path(__file__).with_name("google.json")
    path.write_text(json.dumps(out, indent=1) + "\n")


main()
