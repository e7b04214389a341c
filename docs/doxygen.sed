# Writes the comments of a header as Doxygen wants them: /// instead of //, labels as paragraphs,
# and the sentence that opens the file marked as the file's.
s|^\( *\)// -- .*|\1//|
s|^\( *\)//\([^/]\)|\1///\2|
s|^\( *\)//$|\1///|
s|^\( *///\) \(Units\|Lifetime\|Shard\|Errors\|Cost\|Source\):|\1 @par \2\n\1|
1s|^///|/// @file\n///|
