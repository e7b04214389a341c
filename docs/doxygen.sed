# Writes the comments of a header as Doxygen wants them: /// instead of //, labels as paragraphs,
# and the sentence that opens the file marked as the file's. A backslash is one. Left out is
# what Doxygen takes for endless, or does not find: a class made of itself, and what is in std.
s|^\( *\)// -- .*|\1//|
s|^\( *\)//\([^/]\)|\1///\2|
s|^\( *\)//$|\1///|
/^ *\/\/\/ \{0,4\}[^ ]/s|\\|\\\\|g
/^template/{
    N
    s|\nstruct only_argument : .*|\nstruct only_argument {};|
    /\nstruct std::/{:more;N;/\n};$/!b more;d}
}
s|^\( *///\) \(Units\|Lifetime\|Shard\|Errors\|Cost\|Source\):|\1 @par \2\n\1|
1s|^///|/// @file\n///|
