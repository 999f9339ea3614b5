"""How GPAW is compiled here: serial, with FFTW, libxc and OpenBLAS of the system. Read by GPAW's own setup.

The names below are GPAW's; `make dft` points the variable GPAW_CONFIG at this file.
"""

mpi = False  # the default asks for libmpi, which nothing else here needs
compiler = "g++"  # the sources are C++17, and the default calls the C compiler
fftw = True
scalapack = False
libraries = ["xc", "openblas", "fftw3"]
