/* Files of the source tree as constants in the program: their names are relative to where the compiler runs. */
#ifndef ODRADEK_EMBED_H
#define ODRADEK_EMBED_H

/* Defines `symbol`, the terminated text of `file`, at file scope. */
#define EMBED(symbol, file)                                                                                            \
    __asm__(".pushsection .rodata\n"                                                                                   \
            ".global " #symbol "\n"                                                                                    \
            ".type " #symbol ", @object\n" #symbol ":\n"                                                               \
            ".incbin \"" file "\"\n"                                                                                   \
            ".byte 0\n"                                                                                                \
            ".size " #symbol ", . - " #symbol "\n"                                                                     \
            ".popsection\n");                                                                                          \
    extern const char symbol[]

#endif
