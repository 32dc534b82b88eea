//! Measures the crates jsonschema and boon, whichever the first argument names; how it is asked and answers is in
//! ../../../bench.c.
use serde_json::Value;
use std::io::{BufRead, Write};
use std::time::Instant;

enum Compiled {
    Jsonschema(jsonschema::Validator),
    Boon(Box<boon::Schemas>, boon::SchemaIndex),
}

impl Compiled {
    /// None: it refuses the schema.
    fn new(peer: &str, draft: &str, schema: Value) -> Option<Compiled> {
        if peer == "jsonschema" {
            let draft = if draft == "07" { jsonschema::Draft::Draft7 } else { jsonschema::Draft::Draft202012 };
            let validator = jsonschema::options().with_draft(draft).should_validate_formats(false).build(&schema);
            return validator.ok().map(Compiled::Jsonschema);
        }
        let (mut schemas, mut compiler) = (Box::new(boon::Schemas::new()), boon::Compiler::new());
        compiler.set_default_draft(if draft == "07" { boon::Draft::V7 } else { boon::Draft::V2020_12 });
        compiler.add_resource("file:///schema.json", schema).expect("a resource");
        let index = compiler.compile("file:///schema.json", &mut schemas).ok()?;
        Some(Compiled::Boon(schemas, index))
    }

    fn is_valid(&self, document: &Value) -> bool {
        match self {
            Compiled::Jsonschema(validator) => validator.is_valid(document),
            Compiled::Boon(schemas, index) => schemas.validate(document, *index).is_ok(),
        }
    }
}

fn read(path: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

fn measure(compiled: &Compiled, documents: &[Value], milliseconds: f64) -> String {
    let begin = Instant::now();
    let (mut spent, mut rounds, mut step, mut valid) = (0.0, 0u64, 1u64, 0);
    while spent < milliseconds * 1e6 {
        for _ in 0..step {
            valid = documents.iter().filter(|document| compiled.is_valid(std::hint::black_box(document))).count();
        }
        rounds += step;
        step *= 2;
        spent = begin.elapsed().as_nanos() as f64;
    }
    format!("{:.3} {}", spent / rounds as f64 / documents.len() as f64, valid)
}

fn version(peer: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let from = lock.find(&format!("name = \"{peer}\"\nversion = \"")).map_or("", |at| &lock[at..]);
    from.split('"').nth(3).unwrap_or("")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let table = std::fs::read_to_string(&arguments[2]).expect("a table of cases");
    let cases: Vec<(Option<Compiled>, Vec<Value>)> = table
        .lines()
        .map(|line| {
            let part: Vec<&str> = line.split('\t').collect();
            let documents = read(part[3]).as_array().expect("an array").clone();
            (Compiled::new(&arguments[1], part[1], read(part[2])), documents)
        })
        .collect();
    println!("{}", version(&arguments[1]));
    std::io::stdout().flush().unwrap();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let mut part = line.split(' ');
        let number: usize = part.next().unwrap().parse().unwrap();
        let (compiled, documents) = &cases[number];
        match compiled {
            Some(compiled) => println!("{}", measure(compiled, documents, part.next().unwrap().parse().unwrap())),
            None => println!("unsupported"),
        }
        std::io::stdout().flush().unwrap();
    }
}
