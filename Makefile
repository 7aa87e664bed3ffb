# The README's two commands do all their own set-up: make demo, make test.
.PHONY: help demo test docs build format lint clean

help:
	@echo "make demo    convert, read, edit and show a real scan"
	@echo "make test    build everything and run every test"
	@echo "make docs    the pages and references as a site, in build/docs"
	@echo "make build   set up build/venv and install the package into it"
	@echo "make lint    the checks that make test starts with"
	@echo "make format  put sources into the project's format"
	@echo "make clean   remove everything that was built"

demo:
	@tools/demo.sh

test:
	@tools/test.sh

docs:
	@tools/docs.sh

build:
	@tools/setup.sh build

lint:
	@tools/setup.sh build
	@tools/lint.sh

format:
	@tools/setup.sh build
	@tools/format.sh

clean:
	rm -rf build dist demo-output
