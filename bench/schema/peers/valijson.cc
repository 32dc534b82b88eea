// Measures valijson on RapidJSON documents, its fastest adapter; how it is asked and answers is in ../bench.c. It knows
// drafts up to 07: of newer schemas it is given those that mean the same there, see compare.py.
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <rapidjson/document.h>
#include <valijson/adapters/rapidjson_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

struct Case {
    std::unique_ptr<rapidjson::Document> schema_document, documents;
    std::unique_ptr<valijson::Schema> schema;
    std::string failure;
};

static std::unique_ptr<rapidjson::Document> read(const std::string &path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    auto document = std::make_unique<rapidjson::Document>();
    document->Parse(text.str().c_str());
    return document;
}

static Case open_case(const std::string &line) {
    std::istringstream parts(line);
    std::string name, draft, schema, documents;
    std::getline(parts, name, '\t');
    std::getline(parts, draft, '\t');
    std::getline(parts, schema, '\t');
    std::getline(parts, documents, '\t');
    Case one{read(schema), read(documents), std::make_unique<valijson::Schema>(), ""};
    try {
        valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
        parser.populateSchema(valijson::adapters::RapidJsonAdapter(*one.schema_document), *one.schema);
    } catch (const std::exception &exception) {
        one.failure = exception.what();
    }
    return one;
}

static unsigned validate_all(const Case &one) {
    unsigned valid = 0;
    valijson::Validator validator;
    for (const auto &document : one.documents->GetArray())
        valid += validator.validate(*one.schema, valijson::adapters::RapidJsonAdapter(document), nullptr);
    return valid;
}

static void measure(const Case &one, double milliseconds) {
    using clock = std::chrono::steady_clock;
    auto begin = clock::now();
    double spent = 0;
    unsigned long rounds = 0, step = 1;
    unsigned valid = 0;
    for (; spent < milliseconds * 1e6; step *= 2) {
        for (unsigned long i = 0; i < step; i++) valid = validate_all(one);
        rounds += step;
        spent = std::chrono::duration<double, std::nano>(clock::now() - begin).count();
    }
    std::cout << spent / static_cast<double>(rounds) / one.documents->Size() << ' ' << valid << std::endl;
}

int main(int argc, char **argv) {
    std::vector<Case> cases;
    std::ifstream table(argc == 2 ? argv[1] : "");
    for (std::string line; std::getline(table, line);) cases.push_back(open_case(line));
    std::cout << VERSION << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream parts(line);
        size_t number;
        double milliseconds;
        parts >> number >> milliseconds;
        if (cases[number].failure.empty())
            measure(cases[number], milliseconds);
        else
            std::cout << "unsupported " << cases[number].failure << std::endl;
    }
}
