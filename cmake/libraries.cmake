# Third-party libraries, all Debian packages (see ./run deps).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(lib libpq hiredis libcurl libuv libwebsockets jansson libmicrohttpd libsodium
            openssl sndfile soxr cmocka expat)
  string(TOUPPER ${lib} var)
  pkg_check_modules(${var} REQUIRED IMPORTED_TARGET ${lib})
endforeach()
find_library(CSV_LIBRARY csv REQUIRED)
find_library(PHONENUMBER_LIBRARY phonenumber REQUIRED)
find_library(PROTOBUF_LIBRARY protobuf REQUIRED) # what libphonenumber's metadata is written in
