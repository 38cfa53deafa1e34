//! Tests of reading columns from a stream. Tests of complete files are in `tests/labelled_data.rs`.

use super::*;
use std::io::Cursor;
use std::path::Path;

fn show_with(text: &str, options: &TokenOptions) -> Vec<String> {
    let source = Source::new(Path::new("a"), Cursor::new(text.to_owned().into_bytes())).expect("opens");
    let (mut loaded, mut bad) = (Loaded::new(Vec::new()), BadRecords::new(options.on_error));
    shown(sentences(source, options, &mut loaded, &mut bad), &loaded)
}

fn shown(result: Result<()>, loaded: &Loaded<Vec<TokenExample>>) -> Vec<String> {
    match result {
        Err(error) => vec![error.to_string()],
        Ok(()) => loaded
            .examples
            .iter()
            .map(|e| format!("{} {} {}", e.place.line, e.words.join("_"), e.tags.join("_")))
            .collect(),
    }
}

fn show(text: &str) -> Vec<String> {
    show_with(text, &TokenOptions::default())
}

#[test]
fn conll_2003() {
    let text = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\n. . O O\n-DOCSTART- -X- O O\n\
                1 CD O O\n2 CD O O\r\n";
    assert_eq!(show(text), ["3 EU_rejects B-ORG_O", "7 . O", "9 1_2 O_O"]);
}

#[test]
fn tabs_with_spaces_and_marks_of_all_kinds() {
    let text = "New York\tB-LOC\n#\tO\n#tag\tO\n \t\n\u{a0}\u{b4}\tO\n";
    assert_eq!(show(text), ["1 New York_#_#tag B-LOC_O_O", "5 \u{a0}\u{b4} O"]);
    assert_eq!(show("# O\na O\n# B-X\n# Y\n"), ["1 #_a_# O_O_B-X"]);
}

#[test]
fn universal_ner() {
    let text =
        "# sent_id = 1\n# text = AP O\n1\tAP\tB-ORG\t-\tann\n2\tsays\tO\n\n# sent_id = 2\n1\t#\tO\t-\t-\n";
    assert_eq!(show(text), ["3 AP_says B-ORG_O", "7 # O"]);
    let missing = "1\ta\tO\n2\tb\tO\n3\tc\tO\n4\t\tO\n";
    assert_eq!(
        show(missing),
        [
            "a:4: the word (column 2) is blank; remove the line, or leave it entirely blank where a sentence ends"
        ]
    );
}

#[test]
fn conll_u() {
    let rest = "_\t_\t_\t_\t_\t_\t_";
    let text =
        format!("# text = du\n1-2\tdu\t_\t{rest}\n1\tde\tO\t{rest}\n2\tle\tO\t{rest}\n2.1\tx\tO\t{rest}\n");
    assert!(show(&text)[0].contains("tag_column"), "{:?}", show(&text));
    let options = TokenOptions { tag_column: Some(3), ..TokenOptions::default() };
    assert_eq!(show_with(&text, &options), ["3 de_le O_O"]);
    let unlabelled = TokenOptions { unlabelled: true, ..TokenOptions::default() };
    assert_eq!(show_with(&text, &unlabelled), ["3 de_le "]);
}

#[test]
fn comments_without_ids() {
    let text = "# id 12ab domain=en\nthe _ _ O\nbbc _ _ B-CORP\n\n# id 12ac domain=en\nx _ _ O\n";
    assert_eq!(show(text), ["2 the_bbc O_B-CORP", "6 x O"]);
}

#[test]
fn columns_that_were_named() {
    let options = TokenOptions { word_column: Some(2), tag_column: Some(1), ..TokenOptions::default() };
    assert_eq!(show_with("O a x\nB-X b x\n", &options), ["1 a_b O_B-X"]);
    let beyond = TokenOptions { tag_column: Some(4), ..TokenOptions::default() };
    assert_eq!(show_with("O a x\n", &beyond), ["a:1: 3 columns; expected the tag in column 4"]);
}

#[test]
fn lines_that_are_not_right() {
    assert_eq!(
        show("a O\nb\n"),
        ["a:2: 1 column; expected a word and its tag, with a tab or a space between"]
    );
    assert_eq!(show("b\n")[0], "a:1: 1 column; expected a word and its tag, with a tab or a space between");
    assert_eq!(show("a O\nb c O\n"), ["a:2: 3 columns, but line 1 has 2"]);
    assert_eq!(
        show("a\tO\n\tO\n"),
        [
            "a:2: the word (column 1) is blank; remove the line, or leave it entirely blank where a sentence ends"
        ]
    );
    assert_eq!(show("# only\n"), Vec::<String>::new());
    let unlabelled = TokenOptions { unlabelled: true, ..TokenOptions::default() };
    assert_eq!(show_with("a\nb\n\nc\n", &unlabelled), ["1 a_b ", "4 c "]);
}

#[test]
fn the_first_lines_tell_the_form_of_those_after() {
    let text =
        "# text = a b\n1\ta\tB-X\n2\tb\tO\n\n".repeat(4) + "# c\n1\tc\tO\n2-3\tde\t_\n2\td\tB-Y\n\n3\tf\n";
    let whole = show_with(&text, &TokenOptions::default());
    assert!(whole[0].starts_with("a:22: "), "{whole:?}");
    let skip = TokenOptions { on_error: Some(crate::data::OnBadRecord::Skip), ..TokenOptions::default() };
    for options in [&TokenOptions::default(), &skip] {
        for most in [20, 30, 50, 70] {
            let source = Source::new(Path::new("a"), Cursor::new(text.clone().into_bytes())).expect("opens");
            let (mut loaded, mut bad) = (Loaded::new(Vec::new()), BadRecords::new(options.on_error));
            let result = sentences_with(most, source, options, &mut loaded, &mut bad);
            assert_eq!(shown(result, &loaded), show_with(&text, options), "{most} bytes");
        }
    }
}

#[test]
fn a_column_numbers_the_sentences() {
    let every = "sentence_id\twords\tlabels\n0\tAnna\tB-PER\n0\tleft\tO\n1\tParis\tB-LOC\n";
    assert_eq!(show(every), ["2 Anna_left B-PER_O", "4 Paris B-LOC"]);
    let first = "Sentence #\tWord\tPOS\tTag\nSentence: 1\tAnna\tNNP\tB-PER\n\tleft\tVBD\tO\nSentence: 2\tParis\tNNP\tB-LOC\n";
    assert_eq!(show(first), ["2 Anna_left B-PER_O", "4 Paris B-LOC"]);
    let last = "word\tner\tSentence\na\tO\t1\nb\tO\t1\n\nc\tO\t1\nd\tO\t2\n";
    assert_eq!(show(last), ["2 a_b O_O", "5 c O", "6 d O"]);
}

#[test]
fn numbers_after_the_tags() {
    assert_eq!(
        show("Anna\tB-PER\t0.99\nleft\tO\t1.0\n\nParis\tB-LOC\t0.93\n"),
        ["1 Anna_left B-PER_O", "4 Paris B-LOC"]
    );
    assert_eq!(show("Anna B-PER 0 4\nleft O 5 9\n"), ["1 Anna_left B-PER_O"]);
    assert_eq!(show("Anna 3\nleft 0\n"), ["1 Anna_left 3_0"]);
    assert!(show("Anna NNP 3\nleft VBD 0\n")[0].contains("choose one with option tag_column"));
}
