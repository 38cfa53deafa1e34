"""Makes topic examples for the entailment task from the attribution of the corpus and of the tasks.

    python zero_shot.py COLLECTION OUTPUT

COLLECTION holds `corpus/`, `attribution/` and `tasks/`. A sentence entails "This example is TOPIC." for its own topic and
contradicts it for any other. Topics come from textbooks, from the first sentence of encyclopedia articles ("X is a
footballer"), from dialogues, and from the intents of the topic data.
"""

import collections
import gzip
import json
import random
import re
import sys

random.seed(1)
C, A, T = (sys.argv[1] + "/" + x + "/" for x in ("corpus", "attribution", "tasks"))
out = []
pool = collections.defaultdict(list)  # label -> texts
kinds = [
    (
        "sport",
        r"football(er)?|basketball|baseball|cricket(er)?|tennis|athlete|hockey|rugby|racing|olympi|swimmer|boxer|golfer|cyclist|season of|league",
    ),
    ("music", r"album|band|singer|song|musician|composer|rapper|single by|record label|orchestra|guitarist|pianist"),
    ("film", r"film|movie|actor|actress|film director|television series|tv series|sitcom"),
    ("geography", r"village|town|city|river|mountain|island|lake|municipality|commune|county|province|district|region"),
    ("politics", r"politician|political party|minister|election|senator|member of parliament|diplomat|governor|president"),
    ("biology", r"species|genus|family of|beetle|moth|plant|fish|bird|mammal|protein|gene"),
    ("business", r"company|corporation|bank|retailer|manufacturer|businessman|entrepreneur|airline"),
    ("technology", r"software|programming|computer|operating system|website|video game|microprocessor|algorithm|internet"),
    ("military", r"battle|regiment|navy|warship|destroyer|submarine|army|general who|fighter aircraft|brigade"),
    ("education", r"school|university|college|professor"),
    ("literature", r"novel|novelist|poet|writer|author|book|magazine|newspaper|poem"),
    ("religion", r"church|bishop|saint|monastery|theolog|temple|mosque|cathedral"),
    ("science", r"physicist|chemist|mathematician|astronom|asteroid|theorem|chemical|biologist|physics|mathematics"),
    ("transport", r"railway|station|highway|road|bridge|airport|locomotive|bus |tram"),
    ("food", r"dish|cuisine|restaurant|soup|bread|cheese|beer|wine|cake|sauce|drink"),
    ("health", r"disease|syndrome|medical|hospital|drug|medicine|physician|surgeon|cancer"),
    ("art", r"painter|painting|sculptor|museum|architect|gallery|photographer|fashion"),
    ("law", r"court|lawyer|judge|legal|statute|jurist|law "),
]
syn = {
    "sport": ["sport", "sports", "sports", "athletics"],
    "music": ["music", "music"],
    "film": ["film", "movies", "cinema", "entertainment"],
    "geography": ["geography", "places"],
    "politics": ["politics", "government"],
    "biology": ["biology", "nature", "animals and plants", "science"],
    "business": ["business", "economy", "companies"],
    "technology": ["technology", "computers", "tech"],
    "military": ["military", "war", "history"],
    "education": ["education", "school"],
    "literature": ["literature", "books"],
    "religion": ["religion", "faith"],
    "science": ["science", "science"],
    "transport": ["transport", "traffic", "travel"],
    "food": ["food", "cooking", "food and drink"],
    "health": ["health", "medicine"],
    "art": ["art", "culture"],
    "law": ["law", "justice"],
    "economy": ["economy", "economics", "finance", "business"],
    "astronomy": ["astronomy", "space", "science"],
    "history": ["history"],
    "physics": ["physics", "science"],
    "chemistry": ["chemistry", "science"],
    "psychology": ["psychology"],
    "mathematics": ["mathematics", "statistics", "math"],
    "marketing": ["marketing", "advertising", "business"],
    "philosophy": ["philosophy"],
    "finance": ["finance", "money", "economy"],
    "sociology": ["sociology", "society"],
    "anthropology": ["anthropology", "culture"],
    "writing": ["writing", "language"],
    "programming": ["programming", "technology", "software"],
    "weather": ["weather"],
    "travel": ["travel", "holidays"],
    "entrepreneurship": ["entrepreneurship", "business"],
    "politics_us": ["politics", "government"],
    "restaurants": ["food", "restaurants"],
    "hotels": ["travel", "hotels"],
}
near = {
    "sport": [],
    "economy": ["business", "finance", "entrepreneurship", "marketing"],
    "business": ["economy", "finance", "marketing", "entrepreneurship", "technology"],
    "finance": ["economy", "business", "entrepreneurship"],
    "film": ["literature", "music", "art"],
    "music": ["film", "art"],
    "science": ["physics", "chemistry", "astronomy", "biology", "mathematics", "health", "technology"],
    "physics": ["science", "astronomy", "chemistry", "mathematics", "technology"],
    "chemistry": ["science", "physics", "biology", "health"],
    "biology": ["science", "health", "geography"],
    "health": ["biology", "science", "psychology"],
    "astronomy": ["science", "physics"],
    "technology": ["science", "programming", "business"],
    "programming": ["technology", "science", "mathematics"],
    "history": ["military", "politics", "religion", "politics_us", "literature", "anthropology", "art", "geography"],
    "military": ["history", "politics", "politics_us"],
    "politics": ["politics_us", "law", "history", "military", "economy"],
    "politics_us": ["politics", "law", "history", "military", "economy", "education"],
    "geography": ["history", "travel", "transport"],
    "transport": ["geography", "travel"],
    "travel": ["transport", "hotels", "geography", "restaurants"],
    "hotels": ["travel", "restaurants"],
    "restaurants": ["food", "travel", "hotels"],
    "food": ["restaurants", "health"],
    "literature": ["film", "art", "writing", "education", "philosophy"],
    "art": ["film", "music", "literature", "history"],
    "law": ["politics", "politics_us"],
    "religion": ["history", "philosophy", "anthropology", "art"],
    "education": ["literature", "writing", "politics_us", "science"],
    "psychology": ["health", "sociology", "science", "philosophy"],
    "sociology": ["psychology", "anthropology", "politics", "politics_us", "philosophy"],
    "anthropology": ["sociology", "history", "religion", "art"],
    "philosophy": ["religion", "psychology", "literature", "sociology"],
    "mathematics": ["science", "physics", "programming"],
    "marketing": ["business", "entrepreneurship", "economy"],
    "entrepreneurship": ["business", "marketing", "finance", "economy"],
    "writing": ["literature", "education"],
    "weather": ["geography"],
}


def sents(p):
    return [s for s in re.split(r"(?<=[.!?]) ", p) if 30 < len(s) < 260]


def docs(f):
    d = []
    for l in gzip.open(C + f + ".txt.gz", "rt"):
        l = l.rstrip("\n")
        if l:
            d.append(l)
        elif d:
            yield d
            d = []
    if d:
        yield d


for f in ("wikipedia_00", "wikipedia_01", "wikipedia_02"):
    for d in docs(f):
        m = re.search(r"\b(is|was|are|were) (an?|the|one of)\b([^.;]{0,90})", d[0])
        if not m:
            continue
        hit = [k for k, r in kinds if re.search(r"\b(" + r + ")", m.group(3).lower())]
        if len(hit) != 1:
            continue
        k = hit[0]
        ss = [s for p in d[:6] for s in sents(p)]
        if k == "geography":
            ss = ss[:2]
        pool[k] += random.sample(ss, min(3, len(ss)))
books = {
    "american-government": "politics_us",
    "world-history": "history",
    "anatomy": "biology",
    "us-history": "history",
    "microbiology": "biology",
    "astronomy": "astronomy",
    "principles-economics": "economy",
    "anthropology": "anthropology",
    "college-physics": "physics",
    "psychology": "psychology",
    "writing-guide": "writing",
    "introduction-business": "business",
    "sociology": "sociology",
    "political-science": "politics",
    "entrepreneurship": "entrepreneurship",
    "marketing": "marketing",
    "philosophy": "philosophy",
    "principles-finance": "finance",
    "chemistry": "chemistry",
    "osbooks-physics": "physics",
    "mathematics": "mathematics",
    "statistics": "mathematics",
    "python": "programming",
    "nursing": "health",
}
for f in ("textbooks_openstax_00", "textbooks_openstax_01"):
    src = [l.split("\t")[2] for l in gzip.open(A + "textbooks_openstax.tsv.gz", "rt").read().split("\n")[1:] if l.startswith(f)]
    for d, s in zip(docs(f), src):
        k = next((v for b, v in books.items() if b in s), None)
        if not k:
            continue
        ss = [x for p in d for x in sents(p)]
        pool[k] += random.sample(ss, min(4, len(ss)))
for f, k, n in (
    ("economy_beigebook_00", "economy", 2),
    ("health_nih_00", "health", 1),
    ("speeches_us_presidents_00", "politics_us", 3),
    ("tech_prose_00", "programming", 1),
):
    for d in docs(f):
        ss = [x for p in d for x in sents(p)]
        pool[k] += random.sample(ss, min(n, len(ss)))
inten = []
for l in open(T + "topic.train.jsonl"):
    r = json.loads(l)
    lab = r["label"].replace("_", " ")
    it = r["intent"].replace("_", " ")
    inten.append((r["text"], lab, it))
    m = {
        "weather": "weather",
        "restaurant reservation": "restaurants",
        "recipe": "food",
        "play music": "music",
        "book flight": "travel",
        "book hotel": "hotels",
        "balance": "finance",
        "traffic": "transport",
        "restaurant suggestion": "restaurants",
        "travel suggestion": "travel",
        "exchange rate": "finance",
        "calories": "food",
        "food last": "food",
        "meal suggestion": "food",
        "nutrition info": "food",
        "international visa": "travel",
        "flight status": "travel",
        "interest rate": "finance",
        "next song": "music",
        "what song": "music",
    }.get(it)
    if m:
        pool[m].append(r["text"])
for d in docs("dialogue_sgd_00"):
    t = " ".join(d[:6]).lower()
    for k, w in (
        ("restaurants", "restaurant"),
        ("hotels", "hotel"),
        ("travel", "flight"),
        ("weather", "weather"),
        ("music", "song"),
        ("film", "movie"),
    ):
        if w in t:
            c = [x for x in d if w in x.lower() and len(x) > 25]
            if c:
                pool[k].append(random.choice(c))
tpl = ["This example is {}.", "This example is {}.", "This example is {}.", "This text is about {}.", "The topic is {}.", "It is about {}."]
keys = list(pool)


def add(t, l, y):
    out.append({"text": t, "text_pair": random.choice(tpl).format(l), "label": "entailment" if y else "contradiction"})


for k, v in pool.items():
    v = list(dict.fromkeys(v))
    random.shuffle(v)
    for t in v[:1500]:
        add(t, random.choice(syn[k]), 1)
        bad = [x for x in keys if x != k and x not in near.get(k, []) and k not in near.get(x, [])]
        mine = set(syn[k])
        for x in random.sample(bad, 2):
            c = [s for s in syn[x] if s not in mine]
            if c:
                add(t, random.choice(c), 0)
labs = sorted({x[1] for x in inten} - {"meta", "utility", "small talk"})
its = sorted({x[2] for x in inten})
for t, l, i in random.sample(inten, 7000):
    add(t, i, 1)
    add(t, random.choice([x for x in its if x != i]), 0)
    if l in labs:
        add(t, l, 1)
        add(t, random.choice([x for x in labs if x != l]), 0)
for l in open(T + "sentiment.train.jsonl"):
    r = json.loads(l)
    if random.random() < 0.3:
        add(r["text"], random.choice({"positive": ["positive", "good"], "negative": ["negative", "bad"]}[r["label"]]), 1)
        add(r["text"], random.choice({"negative": ["positive", "good"], "positive": ["negative", "bad"]}[r["label"]]), 0)
random.shuffle(out)
with open(sys.argv[2], "w") as f:
    for r in out[:70000]:
        f.write(json.dumps(r, ensure_ascii=False) + "\n")
