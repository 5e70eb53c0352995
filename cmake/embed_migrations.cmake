# Turns migrations/NNNN_name.sql into one C file with a table (see base/migrate.h).
file(GLOB files ${DIR}/*.sql)
list(SORT files)
set(bodies "")
set(rows "")
set(count 0)
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  string(REGEX MATCH "^([0-9]+)_" prefix ${name})
  string(REGEX REPLACE "^0*([1-9][0-9]*)$" "\\1" number ${CMAKE_MATCH_1})
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND bodies "static const char sql_${number}[] = {${bytes}0};\n")
  string(APPEND rows "    {${number}, \"${name}\", sql_${number}},\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${OUT} "#include \"base/migrate.h\"\n\n${bodies}\n"
  "const struct migration migrations[] = {\n${rows}};\n"
  "const int migration_count = ${count};\n")
