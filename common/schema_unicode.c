/* The names that ECMA-262 has for Unicode properties, in the form that PCRE2 takes. */
#include "common/schema_unicode.h"

#include "common/base.h"

#include <stdio.h>
#include <string.h>

/* General_Category: the long name and its short one. */
static const char *const categories[][2] = {
    {"Cased_Letter", "LC"},
    {"Close_Punctuation", "Pe"},
    {"Connector_Punctuation", "Pc"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Currency_Symbol", "Sc"},
    {"Dash_Punctuation", "Pd"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Enclosing_Mark", "Me"},
    {"Final_Punctuation", "Pf"},
    {"Format", "Cf"},
    {"Initial_Punctuation", "Pi"},
    {"Letter", "L"},
    {"Letter_Number", "Nl"},
    {"Line_Separator", "Zl"},
    {"Lowercase_Letter", "Ll"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Math_Symbol", "Sm"},
    {"Modifier_Letter", "Lm"},
    {"Modifier_Symbol", "Sk"},
    {"Nonspacing_Mark", "Mn"},
    {"Number", "N"},
    {"Open_Punctuation", "Ps"},
    {"Other", "C"},
    {"Other_Letter", "Lo"},
    {"Other_Number", "No"},
    {"Other_Punctuation", "Po"},
    {"Other_Symbol", "So"},
    {"Paragraph_Separator", "Zp"},
    {"Private_Use", "Co"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Spacing_Mark", "Mc"},
    {"Surrogate", "Cs"},
    {"Symbol", "S"},
    {"Titlecase_Letter", "Lt"},
    {"Unassigned", "Cn"},
    {"Uppercase_Letter", "Lu"},
};

/* Binary properties: the long name and its short one. PCRE2 knows the former. */
static const char *const binaries[][2] = {
    {"ASCII", "ASCII"},
    {"ASCII_Hex_Digit", "AHex"},
    {"Alphabetic", "Alpha"},
    {"Any", "Any"},
    {"Bidi_Control", "Bidi_C"},
    {"Bidi_Mirrored", "Bidi_M"},
    {"Case_Ignorable", "CI"},
    {"Cased", "Cased"},
    {"Changes_When_Casefolded", "CWCF"},
    {"Changes_When_Casemapped", "CWCM"},
    {"Changes_When_Lowercased", "CWL"},
    {"Changes_When_NFKC_Casefolded", "CWKCF"},
    {"Changes_When_Titlecased", "CWT"},
    {"Changes_When_Uppercased", "CWU"},
    {"Dash", "Dash"},
    {"Default_Ignorable_Code_Point", "DI"},
    {"Deprecated", "Dep"},
    {"Diacritic", "Dia"},
    {"Emoji", "Emoji"},
    {"Emoji_Component", "EComp"},
    {"Emoji_Modifier", "EMod"},
    {"Emoji_Modifier_Base", "EBase"},
    {"Emoji_Presentation", "EPres"},
    {"Extended_Pictographic", "ExtPict"},
    {"Extender", "Ext"},
    {"Grapheme_Base", "Gr_Base"},
    {"Grapheme_Extend", "Gr_Ext"},
    {"Hex_Digit", "Hex"},
    {"IDS_Binary_Operator", "IDSB"},
    {"IDS_Trinary_Operator", "IDST"},
    {"ID_Continue", "IDC"},
    {"ID_Start", "IDS"},
    {"Ideographic", "Ideo"},
    {"Join_Control", "Join_C"},
    {"Logical_Order_Exception", "LOE"},
    {"Lowercase", "Lower"},
    {"Math", "Math"},
    {"Noncharacter_Code_Point", "NChar"},
    {"Pattern_Syntax", "Pat_Syn"},
    {"Pattern_White_Space", "Pat_WS"},
    {"Quotation_Mark", "QMark"},
    {"Radical", "Radical"},
    {"Regional_Indicator", "RI"},
    {"Sentence_Terminal", "STerm"},
    {"Soft_Dotted", "SD"},
    {"Terminal_Punctuation", "Term"},
    {"Unified_Ideograph", "UIdeo"},
    {"Uppercase", "Upper"},
    {"Variation_Selector", "VS"},
    {"White_Space", "space"},
    {"XID_Continue", "XIDC"},
    {"XID_Start", "XIDS"},
};

/* The row with the text in one of its columns; -1 without one. */
static int find(const char *const (*rows)[2], size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i][0], text) == 0 || strcmp(rows[i][1], text) == 0) return (int)i;
    }
    return -1;
}

static bool put_category(const char *value, char *out, size_t size) {
    int row = find(categories, ARRAY_LEN(categories), value);
    if (row < 0) return false;
    const char *name = categories[row][1];
    snprintf(out, size, "%s", strcmp(name, "LC") == 0 ? "L&" : name);
    return true;
}

/* PCRE2 does not mind how a script's name is written; ECMA-262 does: each word begins with a capital. */
static bool put_script(const char *kind, const char *value, char *out, size_t size) {
    bool begins = true;
    for (const char *p = value; *p; p++) {
        bool upper = *p >= 'A' && *p <= 'Z', lower = *p >= 'a' && *p <= 'z';
        if (*p != '_' && !upper && !lower) return false;
        if (begins && !upper) return false;
        if (!begins && upper && strcmp(value, "SignWriting") != 0) return false;
        begins = *p == '_';
    }
    if (begins) return false;
    return (size_t)snprintf(out, size, "%s:%s", kind, value) < size;
}

bool schema_unicode_property(const char *name, const char *value, char *out, size_t size, bool *inverted) {
    *inverted = false;
    if (value) {
        if (strcmp(name, "General_Category") == 0 || strcmp(name, "gc") == 0) return put_category(value, out, size);
        if (strcmp(name, "Script") == 0 || strcmp(name, "sc") == 0) return put_script("sc", value, out, size);
        if (strcmp(name, "Script_Extensions") == 0 || strcmp(name, "scx") == 0)
            return put_script("scx", value, out, size);
        return false;
    }
    if (strcmp(name, "Assigned") == 0) {
        *inverted = true;
        snprintf(out, size, "Cn");
        return true;
    }
    int row = find(binaries, ARRAY_LEN(binaries), name);
    if (row >= 0) snprintf(out, size, "%s", binaries[row][0]);
    return row >= 0 || put_category(name, out, size);
}
