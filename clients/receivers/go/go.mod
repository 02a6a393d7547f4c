module hartline.example/receiver

go 1.22
