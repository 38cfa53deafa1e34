//! Files of labelled texts and words: the layouts of GLUE and CoNLL, and invalid files.

use std::io::Write;
use std::path::{Path, PathBuf};

use albert::data::{
    DataFormat, LabelSet, Loaded, Target, TargetKind, TextExample, TextOptions, TokenOptions, read_texts,
    read_tokens,
};
use tempfile::TempDir;

/// A folder with files.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(&path, bytes).expect("writes");
        path
    }

    /// The error for reading texts from such a file, without the folder's path.
    fn problem(&self, name: &str, bytes: impl AsRef<[u8]>, options: &TextOptions) -> String {
        let path = self.write(name, bytes);
        message(read_texts(&path, options), &path)
    }
}

fn message<T>(result: albert::Result<Loaded<T>>, path: &Path) -> String {
    let folder = format!("{}/", path.parent().map(|folder| folder.display().to_string()).unwrap_or_default());
    result.err().map(|error| error.to_string().replace(&folder, "")).unwrap_or_default()
}

fn labels() -> TextOptions {
    TextOptions::default()
}

fn numbers() -> TextOptions {
    TextOptions { kind: TargetKind::Number, ..TextOptions::default() }
}

fn unlabelled() -> TextOptions {
    TextOptions { unlabelled: true, ..TextOptions::default() }
}

fn show(example: &TextExample) -> String {
    let target = match &example.target {
        Target::None => "none".to_owned(),
        Target::Number(number) => number.to_string(),
        labels => labels.labels().join("+"),
    };
    let id = example.id.as_deref().map_or("-", |id| id.trim_matches('"'));
    let pair = example.text_pair.as_deref().unwrap_or("-");
    format!("{}: {id}, {}, {pair}, {target}", example.place.line, example.text)
}

#[test]
fn every_layout_of_glue() {
    let files = Files::new();
    let mnli = "index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t\
                sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n\
                0\t1\t1n\tfiction\t( \" a\t( b\t(ROOT\t(ROOT\t\"A.\tB.\tneutral\tneutral\n";
    for (name, text, options, expected) in [
        (
            "CoLA/train.tsv",
            "gj04\t1\t\tThey won't.\r\ngj04\t0\t*\t\"They.\r\n",
            labels(),
            "1: -, They won't., -, 1",
        ),
        ("CoLA/test.tsv", "index\tsentence\n0\tBill.\n", unlabelled(), "2: 0, Bill., -, none"),
        ("SST-2/train.tsv", "sentence\tlabel\nhide \" it \t0\n", labels(), "2: -, hide \" it , -, 0"),
        (
            "MRPC/train.tsv",
            "\u{feff}Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\t\"A , \" B .\tC .\r\n",
            labels(),
            "2: -, \"A , \" B ., C ., 1",
        ),
        (
            "MRPC/test.tsv",
            "index\t#1 ID\t#2 ID\t#1 String\t#2 String\n0\t1\t2\tA\tB\n",
            unlabelled(),
            "2: 0, A, B, none",
        ),
        (
            "STS-B/dev.tsv",
            "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n\
             0\tmain-captions\tMSRvid\t2012test\t0000\tnone\tnone\tA.\tB.\t4.750\n",
            numbers(),
            "2: 0, A., B., 4.75",
        ),
        (
            "QQP/train.tsv",
            "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n5\t1\t2\tHow?\tWhy?\t0\n",
            labels(),
            "2: 5, How?, Why?, 0",
        ),
        ("QQP/test.tsv", "id\tquestion1\tquestion2\n0\tHow?\tWhy?\n", unlabelled(), "2: 0, How?, Why?, none"),
        ("MNLI/train.tsv", mnli, labels(), "2: 0, \"A., B., neutral"),
        (
            "QNLI/dev.tsv",
            "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment\n",
            labels(),
            "2: 0, Who?, He., entailment",
        ),
        (
            "RTE/dev.tsv",
            "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tnot_entailment\n",
            labels(),
            "2: 0, A., B., not_entailment",
        ),
        ("WNLI/dev.tsv", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\t1\n", labels(), "2: 0, A., B., 1"),
        (
            "snli_1.0_train.jsonl",
            "{\"annotator_labels\": [\"neutral\"], \"gold_label\": \"neutral\", \"pairID\": \"1#0\", \
             \"sentence1\": \"A.\", \"sentence2\": \"B.\"}\n",
            labels(),
            "1: 1#0, A., B., neutral",
        ),
        ("mnli.csv", "premise,hypothesis,label,idx\n\"A, b.\",C.,1,7\n", labels(), "2: 7, A, b., C., 1"),
        ("own.csv", "text,label\nA.,good\n", labels(), "2: -, A., -, good"),
        ("own.jsonl", "\n{\"text\": \"A.\", \"score\": 2, \"label\": \"x\"}\n", numbers(), "2: -, A., -, 2"),
    ] {
        let path = files.write(name, text);
        let loaded = read_texts(&path, &options).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(show(&loaded.examples[0]), expected, "{name}");
        assert_eq!(*loaded.examples[0].place.source, *path.display().to_string());
    }
    let twice = files
        .write("MNLI/dev.tsv", mnli.replace("\tneutral\n", "\t-\n") + mnli.lines().last().expect("a row"));
    let loaded = read_texts(&twice, &labels()).expect("reads");
    assert_eq!((loaded.examples.len(), loaded.left_out), (1, 1));
    assert!(loaded.notes[0].contains("1 example is left out"), "{:?}", loaded.notes);
    assert_eq!(
        LabelSet::of_texts(loaded.examples.iter().flat_map(|e| e.target.labels())).names(),
        ["neutral"]
    );
}

#[test]
fn rows_with_line_breaks_and_errors_after_them() {
    let files = Files::new();
    let good = "\u{feff}text,label\r\n\"one\r\n\r\n\"\"two\"\"\",a\r\n\r\nthree,b\r\n";
    let loaded = read_texts(&files.write("a.csv", good), &labels()).expect("reads");
    assert_eq!(loaded.examples[0].text, "one\r\n\r\n\"two\"");
    assert_eq!(loaded.examples.iter().map(|e| e.place.line).collect::<Vec<_>>(), [2, 6]);
    for (row, problem) in [
        (
            "four,\r\n",
            "a.csv:7: column \"label\" is blank; expected a label: a string, a whole number, true or false",
        ),
        (
            "four\r\n",
            "a.csv:7: 1 column, but the header (line 1) has 2: \"text\", \"label\"; every row needs \
                      all cells, even empty ones",
        ),
        ("\"four\r\n,b\r\n", "a.csv:7: a quote of this row is never closed"),
        (
            "\"four\r\nfive\",b\r\nsix,\r\n",
            "a.csv:9: column \"label\" is blank; expected a label: a string, a whole \
                                            number, true or false",
        ),
    ] {
        assert_eq!(files.problem("a.csv", format!("{good}{row}"), &labels()), problem, "{row}");
    }
    let tsv = files.problem("a.tsv", "sentence\tlabel\nA \"b\t1\nC\t\"d\t0\n", &labels());
    assert!(
        tsv.starts_with("a.tsv:3: 3 columns, but the header (line 1) has 2: \"sentence\", \"label\""),
        "{tsv}"
    );
}

#[test]
fn scores_and_labels_that_are_not_right() {
    let files = Files::new();
    let line = "{\"text\": \"a\", \"score\": 1.5}\n";
    for (score, part) in [
        ("NaN", "a.jsonl:2: field \"score\" is NaN; JSON has no NaN and no infinity"),
        ("-Infinity", "JSON has no NaN"),
        ("\"NaN\"", "a.jsonl:2: field \"score\" is \"NaN\"; expected a finite number"),
        ("null", "a.jsonl:2: field \"score\" is null; expected a finite number"),
        ("1e400", "a.jsonl:2: field \"score\" is 1e400"),
    ] {
        let shown = files.problem("a.jsonl", format!("{line}{}", line.replace("1.5", score)), &numbers());
        assert!(shown.contains(part), "{shown}");
    }
    for score in ["nan", "inf", "-1e99", "good"] {
        let shown = files.problem("a.csv", format!("text,score\nb,2\na,{score}\n"), &numbers());
        assert!(
            shown.starts_with(&format!("a.csv:3: column \"score\" is \"{score}\"; expected a")),
            "{shown}"
        );
    }
    assert_eq!(files.problem("a.csv", "", &labels()), "a.csv holds no examples");
    assert_eq!(files.problem("a.jsonl", " \n\n", &labels()), "a.jsonl holds no examples");
    assert_eq!(files.problem("a.tsv", "text\tlabel\n", &labels()), "a.tsv holds no examples");
    let latin = files.problem("a.csv", b"text,label\na,1\n\"b\nc\xe9\",1\n", &labels());
    assert!(latin.starts_with("a.csv:4: not valid UTF-8 (byte 2 of the line)"), "{latin}");
    assert!(
        message(read_texts(Path::new("/none/a.csv"), &labels()), Path::new("/none/a.csv"))
            .contains("cannot read")
    );
    let folder = files.0.path();
    assert!(message(read_texts(folder, &labels()), folder).ends_with("is a directory; name a file"));
    let squad = TextOptions { format: DataFormat::Squad, ..labels() };
    assert!(
        files.problem("a.csv", "", &squad).starts_with("data_format: \"squad\" is not a format of this task")
    );
}

#[test]
fn several_labels() {
    let files = Files::new();
    let options = TextOptions { kind: TargetKind::Labels, ..TextOptions::default() };
    let json = "{\"text\": \"a\", \"label\": [\"x\", \"y\"]}\n{\"text\": \"b\", \"labels\": []}\n";
    let csv = "text,label\na,x|y\nb,y\n";
    let switches = "id,text,x,y\n1,a,1,1\n2,b,0,0\n";
    let columns = TextOptions { label_columns: vec!["x".to_owned(), "y".to_owned()], ..options.clone() };
    let read = |name: &str, text: &str, options: &TextOptions| {
        let loaded = read_texts(&files.write(name, text), options).expect("reads");
        loaded.examples.iter().map(|e| e.target.labels().join("+")).collect::<Vec<_>>()
    };
    assert_eq!(read("a.jsonl", json, &options), ["x+y", ""]);
    assert_eq!(read("a.csv", csv, &options), ["x+y", "y"]);
    assert_eq!(read("b.csv", switches, &columns), ["x+y", ""]);
    let semicolon = TextOptions { separator: "; ".to_owned(), ..options };
    assert_eq!(read("a.tsv", "text\tlabel\na\tx; y\n", &semicolon), ["x+y"]);
}

#[test]
fn compressed_files() {
    let files = Files::new();
    let text = b"text,label\na,1\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text).expect("writes");
    let zstd =
        ruzstd::encoding::compress_to_vec(text.as_slice(), ruzstd::encoding::CompressionLevel::Uncompressed);
    for (name, bytes) in [("a.csv.gz", gzip.finish().expect("ends")), ("a.csv.zst", zstd)] {
        let loaded = read_texts(&files.write(name, &bytes), &labels()).expect("reads");
        assert_eq!(show(&loaded.examples[0]), "2: -, a, -, 1", "{name}");
        let cut = files.write(name, &bytes[..bytes.len() - 9]);
        assert!(
            message(read_texts(&cut, &labels()), &cut).starts_with(&format!("{name}: cannot read")),
            "{name}"
        );
    }
}

#[test]
fn sentences_in_columns() {
    let files = Files::new();
    let options = TokenOptions::default();
    for (name, text, expected) in [
        (
            "eng.train.conll",
            "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nsays VBZ B-VP O\n\n. . O O\n",
            "3 EU says B-ORG O/6 . O",
        ),
        (
            "wnut17train.conll",
            "@paul\tO\nEmpire\tB-location\n\t\n#\tO\n",
            "1 @paul Empire O B-location/4 # O",
        ),
        (
            "en_ewt-ud-dev.iob2",
            "# sent_id = 1\n# text = The AP\n1\tThe\tO\t-\t-\n2\tAP\tB-ORG\t-\tann\r\n\r\n# text = .\r\n1\t.\tO\n",
            "3 The AP O B-ORG/7 . O",
        ),
        ("words.txt", "a O\nb O\n", "1 a b O O"),
        ("words.tsv", "a\tO\n", "1 a O"),
        ("words.jsonl", "{\"tokens\": [\"a\", \"b\"], \"tags\": [\"O\", \"O\"]}\n", "1 a b O O"),
    ] {
        let loaded =
            read_tokens(&files.write(name, text), &options).unwrap_or_else(|error| panic!("{name}: {error}"));
        let shown: Vec<String> = loaded
            .examples
            .iter()
            .map(|e| format!("{} {} {}", e.place.line, e.words.join(" "), e.tags.join(" ")))
            .collect();
        assert_eq!(shown.join("/"), expected, "{name}");
    }
    for (name, text, problem) in [
        (
            "a.conll",
            "a O\n\nb\n",
            "a.conll:3: 1 column; expected a word and its tag, with a tab or a space between",
        ),
        ("a.conll", "a O\nb X O\n", "a.conll:2: 3 columns, but line 1 has 2"),
        ("a.conll", "\n", "a.conll holds no examples"),
        ("a.jsonl", "{\"tokens\": [\"a\"], \"tags\": [\"O\", \"O\"]}\n", "a.jsonl:1: 1 word, but 2 tags"),
    ] {
        let path = files.write(name, text);
        assert_eq!(message(read_tokens(&path, &options), &path), problem);
    }
    let column = TokenOptions { tag_column: Some(0), ..TokenOptions::default() };
    assert_eq!(
        message(read_tokens(Path::new("x"), &column), Path::new("x")),
        "tag_column: columns count from 1"
    );
}
