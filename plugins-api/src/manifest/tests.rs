//! Manifests that are right, and what is said about those that are not.

use super::{Manifest, ManifestError};
use kith_contract::{DIAL, Role};

const WHOLE: &str = r#"
name = "weather"
version = "1.0.0"
about = "Publishes the weather"
roles = ["transport"]
publishes = ["weather.>"]
subscribes = ["self.weather.ask", "kith/self.transports.dial"]
network = true
"#;

fn refused(text: &str) -> ManifestError {
    Manifest::from_toml("weather.toml", text).unwrap_err()
}

#[test]
fn a_file_and_a_builder_say_the_same() {
    let built = Manifest::new("weather", "1.0.0")
        .about("Publishes the weather")
        .role(Role::Transport)
        .publishes("weather.>")
        .subscribes("self.weather.ask")
        .subscribes_to(DIAL)
        .network();
    let read = Manifest::from_toml("weather.toml", WHOLE).unwrap();
    assert_eq!(read, built);
    assert_eq!(Manifest::from_toml("again.toml", &built.to_toml()).unwrap(), built);
    let rights = built.check().unwrap();
    assert_eq!((rights.name(), rights.roles()), ("weather", &[Role::Transport][..]));
}

#[test]
fn what_is_in_quotes_comes_back() {
    let about = "a \"quoted\" \\ 'text' of größe";
    let manifest = Manifest::new("a", "1").about(about);
    let toml = manifest.to_toml();
    assert_eq!(Manifest::from_toml("a.toml", &toml).unwrap().about, about, "{toml}");
}

#[test]
fn every_fault_is_said_with_its_place() {
    let text = "name = \"Weather\"\nversion = 1\nrolls = []\nroles = [\"carrier\"]\n\
                publishes = [\"weather.>\", \"bus.stats\"]\nsubscribes = \"self.a\"\n\
                colour = 3\ndisk = \"no\"\n";
    let error = refused(text);
    let places: Vec<_> = error.problems().iter().filter_map(|one| one.place()).collect();
    let expected = [(1, 8), (2, 11), (3, 1), (4, 10), (5, 27), (6, 14), (7, 1), (8, 8)];
    assert_eq!(places, expected, "{error}");
    let said = error.to_string();
    assert!(
        said.contains("weather.toml:3:1: unknown key `rolls`: did you mean `roles`?"),
        "{said}"
    );
    assert!(said.contains("\n 3 | rolls = []\n   | ^^^^^\n"), "{said}");
    assert!(said.contains("\"carrier\" is no role: there are \"transport\""), "{said}");
    assert!(said.contains("unknown key `colour`: known here are `name`, `version`"), "{said}");
    assert!(said.contains("`bus.stats` in `publishes`: the daemon alone"), "{said}");
    assert!(said.contains("`version` has to be a text in quotes, but this is a number"), "{said}");
}

#[test]
fn what_is_missing_is_said_at_the_end() {
    let said = refused("about = \"x\"\n").to_string();
    assert!(said.starts_with("weather.toml:1:12: `name` is missing: add `name = \"weather\"`"));
    assert!(said.contains("`version` is missing"), "{said}");
    assert_eq!(refused("").problems().len(), 2);
}

#[test]
fn what_is_no_toml_is_said_in_the_words_of_its_parser() {
    let error = refused("name = \n");
    assert_eq!(error.problems()[0].place(), Some((1, 8)), "{error}");
    assert_eq!(refused(&"#".repeat(70_000)).problems().len(), 1);
}

#[test]
fn a_terminal_gets_no_control_characters() {
    let said = refused("name = \"\\u001b[31m\"\nversion = \"\\u0007\"\nx\u{7f} = 1").to_string();
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
}

#[test]
fn a_manifest_that_was_built_is_checked_too() {
    let error = Manifest::new("a b", "1\n2").about("x".repeat(201)).check().unwrap_err();
    assert_eq!(error.problems().len(), 3, "{error}");
    assert!(error.problems().iter().all(|one| one.place().is_none()));
    let error = Manifest::new("a", "1").publishes("self.a").check().unwrap_err();
    let expected = "`self.a` in `publishes`: what is published gets its scope from the daemon; \
                    write `a`";
    assert_eq!(error.to_string(), expected);
}
