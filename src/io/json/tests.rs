use super::*;

fn value(text: &str) -> std::result::Result<String, String> {
    let mut scanner = Scanner::new(text.as_bytes());
    let value = scanner.value().map_err(|e| e.to_string())?;
    scanner.end().map_err(|e| e.to_string())?;
    Ok(value.get().to_owned())
}

#[test]
fn values_come_out_as_they_went_in() {
    for text in [
        "1.10",
        "-0",
        "1E+5",
        "12345678901234567890123",
        "true",
        "null",
        "[]",
        "{}",
        "[ ]",
        r#""\ud83d \u00e9\n\\ é""#,
        r#"{"a" : [1, {"b":NaN}, -Infinity ],"c":Infinity}"#,
        r#"[[[[[]]]], {"a":{}}]"#,
    ] {
        assert_eq!(value(text).as_deref(), Ok(text));
        assert_eq!(value(&format!(" \n{text}\r\n ")).as_deref(), Ok(text));
    }
    assert_eq!(value("{\n  \"a\": 1,\n\n  \"b\": [\n 2 ]\n}").as_deref(), Ok("{\"a\": 1,\"b\": [2 ]}"));
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for (text, problem) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("nan", "expected value at line 1 column 1"),
        ("[1 2]", "expected `,` or `]` at line 1 column 3"),
        ("{\"a\":1,}", "key must be a string at line 1 column 7"),
        ("{a:1}", "key must be a string at line 1 column 1"),
        ("{\"a\" 1}", "expected `:` at line 1 column 5"),
        ("[1,]", "expected value at line 1 column 3"),
        ("01", "invalid number at line 1 column 1"),
        ("1.", "EOF while parsing a value at line 1 column 2"),
        ("-a", "invalid number at line 1 column 1"),
        ("\"a\nb\"", "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 2"),
        ("\"\\x\"", "invalid escape at line 1 column 2"),
        ("\"\\u12g4\"", "invalid escape at line 1 column 5"),
        ("\n[", "EOF while parsing a value at line 2 column 1"),
        ("\n{\"a\":[1", "EOF while parsing a list at line 2 column 7"),
        ("1 1", "trailing characters at line 1 column 2"),
    ] {
        assert_eq!(value(text), Err(problem.to_owned()), "{text}");
    }
    let mut scanner = Scanner::new(&b"\"\xff\""[..]);
    assert!(scanner.value().is_err_and(|e| e.to_string().contains("UTF-8")));
}

#[test]
fn depth_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(1 << 20), "]".repeat(1 << 20));
    assert_eq!(value(&deep).as_deref(), Ok(deep.as_str()));
}

#[test]
fn it_agrees_with_serde_json_on_everything_else() {
    let mut seed = 1u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    let parts = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "1",
        "-",
        "0",
        ".5",
        "e1",
        " ",
        "true",
        "null",
        "\"\\u00e9\"",
    ];
    let (mut good, mut bad) = (0, 0);
    for _ in 0..50_000 {
        let text: String = (0..1 + random(7)).map(|_| parts[random(parts.len() as u32) as usize]).collect();
        let expected = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        assert_eq!(value(&text).is_ok(), expected, "{text}");
        if expected { good += 1 } else { bad += 1 }
    }
    assert!(good > 1_000 && bad > 1_000, "{good} {bad}");
}
