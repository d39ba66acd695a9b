//! Tokens against OpenAI's published examples and against its own Rust core, on prompts, numbers and arbitrary text.

use avowal_engine::Interrupt;
use avowal_tokens::{ENCODINGS, Tokenizer};
use proptest::prelude::*;
use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

fn both() -> [(Tokenizer, &'static CoreBPE); 2] {
    let oracles = [o200k_base_singleton(), cl100k_base_singleton()];
    std::array::from_fn(|i| (Tokenizer::named(ENCODINGS[i]).expect("an encoding"), oracles[i]))
}

/// The examples of OpenAI's cookbook, `How_to_count_tokens_with_tiktoken.ipynb`, section 5.
#[test]
fn published_examples_come_out_token_by_token() {
    let examples: [(&str, [&[u32]; 2]); 4] = [
        (
            "tiktoken is great!",
            [&[83, 8251, 2488, 382, 2212, 0], &[83, 1609, 5963, 374, 2294, 0]],
        ),
        (
            "antidisestablishmentarianism",
            [
                &[493, 129_901, 376, 160_388, 21_203, 2367],
                &[519, 85_342, 34_500, 479, 8997, 2191],
            ],
        ),
        (
            "2 + 2 = 4",
            [&[17, 659, 220, 17, 314, 220, 19], &[17, 489, 220, 17, 284, 220, 19]],
        ),
        (
            "お誕生日おめでとう",
            [
                &[8930, 9697, 243, 128_225, 8930, 17_693, 4344, 48_669],
                &[33_334, 45_918, 243, 21_990, 9080, 33_334, 62_004, 16_556, 78_699],
            ],
        ),
    ];
    for (text, expected) in examples {
        for (name, tokens) in ENCODINGS.into_iter().zip(expected) {
            assert_eq!(
                Tokenizer::named(name).expect("an encoding").encode(text),
                tokens,
                "{name}: {text}"
            );
        }
    }
}

#[test]
fn an_unknown_encoding_is_named_with_the_known_ones() {
    let error = Tokenizer::named("o200k_harmony").err().expect("an error").to_string();
    assert_eq!(
        error,
        "encoding: expected o200k_base or cl100k_base, found o200k_harmony"
    );
}

#[test]
fn special_tokens_are_text() {
    for (ours, oracle) in both() {
        assert!(ours.count("<|endoftext|>") > 1);
        assert_eq!(ours.encode("<|endoftext|>"), oracle.encode_ordinary("<|endoftext|>"));
    }
}

#[test]
fn counts_of_many_do_not_depend_on_threads_and_bad_buffers_are_refused() {
    let ours = Tokenizer::named("o200k_base").expect("an encoding");
    let texts: Vec<String> = (0..1000).map(|i| "value: ".repeat(i % 7) + &i.to_string()).collect();
    let mut offsets = vec![0];
    offsets.extend(texts.iter().scan(0, |end, text| {
        *end += text.len() as u64;
        Some(*end)
    }));
    let buffer = texts.concat().into_bytes();
    let expected: Vec<u64> = texts.iter().map(|text| ours.count(text) as u64).collect();
    let flag = Interrupt::new();
    for threads in [0, 1, 2] {
        assert_eq!(
            ours.count_many(&buffer, &offsets, threads, &flag).as_ref(),
            Ok(&expected)
        );
    }
    assert_eq!(ours.count_many(b"", &[0], 1, &flag), Ok(vec![]));
    assert!(ours.count_many(b"abc", &[0, 4], 1, &flag).is_err());
    assert!(ours.count_many(b"abc", &[2, 1], 1, &flag).is_err());
    assert!(ours.count_many("é".as_bytes(), &[0, 1], 1, &flag).is_err());
}

/// Arbitrary text, and text of the pieces on which splitting rules differ: letters, marks, digits, spaces, contractions.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z]{1,12}",
        "[0-9]{1,7}",
        "[ \t\r\n]{1,4}",
        "[-.,:;/'\"(){}\\[\\]!?_%$&<|>]{1,4}",
        "'(s|S|t|re|VE|m|ll|d)",
        "[\u{0300}-\u{036f}\u{00e0}-\u{00ff}\u{0400}-\u{04ff}\u{3040}-\u{30ff}\u{4e00}-\u{4eff}\u{1f600}-\u{1f64f}]{1,3}",
        "(-?[0-9]{1,4}\\.[0-9]{1,2}|[a-z_]{3,12}: )",
    ];
    prop_oneof![
        ".{0,60}",
        proptest::collection::vec(piece, 0..40).prop_map(|parts| parts.concat())
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn tokens_are_those_of_openai_and_decode_to_the_text(text in texts()) {
        for (ours, oracle) in both() {
            let tokens = ours.encode(&text);
            prop_assert_eq!(&tokens, &oracle.encode_ordinary(&text));
            prop_assert_eq!(ours.count(&text), tokens.len());
            prop_assert_eq!(String::from_utf8(ours.decode(&tokens)).ok(), Some(text.clone()));
        }
    }
}
