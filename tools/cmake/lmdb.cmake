# LMDB 0.9.36 from the source archive of the `lmdb` package, by name and digest; no copy here.
#
#   sdist    the archive must be had, and its digest must match
#   system   pkg-config's liblmdb, 0.9.24 or later (for distributors)
#   auto     the archive; the system's, with a warning, only where pip cannot fetch it
#
# A digest that does not match stops the build in every mode: that is an attack or a mistake, and
# neither is cured by another library.
set(LMDB_PACKAGE 3.0.0)
set(LMDB_DIGEST 06dda0723545e14d56ac7dcd6f582d9922c2ed5e16f1c3f8d0e670a96ec2ee65)
set(LMDB_HOME ${CMAKE_CURRENT_BINARY_DIR}/lmdb)
set(LMDB_ARCHIVE ${LMDB_HOME}/lmdb-${LMDB_PACKAGE}.tar.gz)

function(posengine_lmdb_from_system)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb>=0.9.24)
  message(WARNING "posengine: using the system's LMDB ${LMDB_VERSION}; 0.9.36 is what was tested")
  add_library(posengine_lmdb INTERFACE)
  target_link_libraries(posengine_lmdb INTERFACE PkgConfig::LMDB)
endfunction()

function(posengine_lmdb_fetch result)
  find_package(Python REQUIRED COMPONENTS Interpreter)
  # LMDB_PURE: without it the archive's setup.py runs `patch`, which a small Debian lacks.
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env LMDB_PURE=1 ${Python_EXECUTABLE} -m pip download --quiet
      --disable-pip-version-check --no-deps --no-binary lmdb --no-build-isolation
      --dest ${LMDB_HOME} lmdb==${LMDB_PACKAGE}
    RESULT_VARIABLE status OUTPUT_QUIET ERROR_VARIABLE complaint)
  if(NOT status EQUAL 0)
    message(STATUS "posengine: pip could not fetch lmdb ${LMDB_PACKAGE}: ${complaint}")
  endif()
  set(${result} ${status} PARENT_SCOPE)
endfunction()

if(POSENGINE_LMDB STREQUAL "system")
  posengine_lmdb_from_system()
  return()
endif()

set(fetched 0)
if(NOT EXISTS ${LMDB_ARCHIVE})
  posengine_lmdb_fetch(fetched)
endif()
if(NOT fetched EQUAL 0)
  if(POSENGINE_LMDB STREQUAL "sdist")
    message(FATAL_ERROR "posengine: POSENGINE_LMDB=sdist, and lmdb ${LMDB_PACKAGE} cannot be had")
  endif()
  posengine_lmdb_from_system()
  return()
endif()

file(SHA256 ${LMDB_ARCHIVE} digest)
if(NOT digest STREQUAL LMDB_DIGEST)
  file(REMOVE ${LMDB_ARCHIVE})
  message(FATAL_ERROR "posengine: lmdb-${LMDB_PACKAGE}.tar.gz has digest ${digest}, "
    "wanted ${LMDB_DIGEST}: the archive was removed and the build stops")
endif()
file(ARCHIVE_EXTRACT INPUT ${LMDB_ARCHIVE} DESTINATION ${LMDB_HOME})
file(GLOB_RECURSE lmdb_source ${LMDB_HOME}/lmdb-${LMDB_PACKAGE}/lib/*mdb.c)
list(GET lmdb_source 0 lmdb_source)
get_filename_component(lmdb_folder ${lmdb_source} DIRECTORY)
add_library(posengine_lmdb STATIC ${lmdb_folder}/mdb.c ${lmdb_folder}/midl.c)
target_include_directories(posengine_lmdb SYSTEM PUBLIC ${lmdb_folder})
target_compile_definitions(posengine_lmdb PRIVATE _GNU_SOURCE)
target_compile_options(posengine_lmdb PRIVATE -w)
target_link_libraries(posengine_lmdb PRIVATE Threads::Threads)
